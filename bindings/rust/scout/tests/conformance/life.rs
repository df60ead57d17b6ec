//! Behaviours over time: cancelling, time-outs, many at once, closing, loops, and every error.
use crate::list::{unescape, Case};
use crate::{chat_of, engine_options, refused, request_options, say, stop_number, text_of, Answer, Shown};
use scout::{EngineOptions, Error, LoadOptions, Model, Next, Request, RequestOptions};
use std::time::{Duration, Instant};
use std::{fs, path::PathBuf, thread};

pub fn begun(model: &Model, case: &Case) -> Result<Request, String> {
    let prompt = String::from_utf8(case.text("prompt")).unwrap();
    let mut request = model.generate_with(&prompt, &request_options(case)).map_err(say)?;
    for _ in 0..case.number("after_events") {
        let event = request.next().ok_or("no event")?.map_err(say)?;
        same!("an early end", None, event.end);
    }
    Ok(request)
}

pub fn cancel(model: &Model, case: &Case) -> Shown {
    let mut request = begun(model, case)?;
    if case.number("other_thread") == 1 {
        let canceller = request.canceller();
        thread::spawn(move || canceller.cancel()).join().map_err(|_| "the thread panicked")?;
    } else {
        request.cancel().map_err(say)?;
    }
    let end = Answer::read(&mut request)?.whole.end.unwrap();
    same!("stop", case.number("stop"), stop_number(end.stop));
    same!("status", Some(case.number("status")), end.error.map(|error| i64::from(error.status())));
    Ok(())
}

pub fn dropped(model: &Model, case: &Case) -> Shown {
    let request = begun(model, case)?;
    let canceller = request.canceller();
    let before = Instant::now();
    drop(request);
    canceller.cancel(); // of a request that is gone: nothing
    same!("dropping takes 5 s", false, before.elapsed() > Duration::from_secs(5));
    Ok(())
}

pub fn timeout_stepped(model: &Model, case: &Case) -> Shown {
    let engine = model.engine(&EngineOptions::new().stepped()).map_err(say)?;
    let mut request = engine.submit(&chat_of(model, &case.text("prompt"))?).map_err(say)?;
    let wait = Duration::from_millis(case.number("timeout_ms") as u64);
    same!("before a step", Next::NotYet, request.next_within(Some(wait)).map_err(say)?);
    let mut answer = Answer::default();
    loop {
        let left = engine.step(Duration::from_millis(4)).map_err(say)?;
        let next = loop {
            match request.next_within(Some(Duration::ZERO)).map_err(say)? {
                Next::Event(event) => answer.take(event)?,
                other => break other,
            }
        };
        if !left || next == Next::Done {
            same!("text", case.text("text"), answer.text.as_bytes());
            return Ok(());
        }
    }
}

pub fn timeout_threaded(model: &Model, case: &Case) -> Shown {
    let engine = model.engine(&EngineOptions::new()).map_err(say)?;
    let wait = Duration::from_millis(case.number("timeout_ms") as u64);
    let before = Instant::now();
    same!("nothing", Next::NotYet, engine.next_event(Some(wait)).map_err(say)?);
    same!("too early", false, before.elapsed() + Duration::from_millis(1) < wait);
    Ok(())
}

pub fn load_cancel(_: &Model, _: &Case) -> Shown {
    let loading = Model::load_start("scout-tiny", &LoadOptions::new()).map_err(say)?;
    loading.cancel().map_err(say)?;
    match loading.wait() {
        Ok(_) | Err(Error::Cancelled(_)) => Ok(()),
        Err(error) => Err(say(error)),
    }
}

pub fn load_wait(_: &Model, case: &Case) -> Shown {
    let loading = Model::load_start("scout-tiny", &LoadOptions::new()).map_err(say)?;
    let (done, total) = loading.progress().map_err(say)?;
    same!("done past total", false, done > total);
    text_of(&loading.wait().map_err(say)?, &case.text("prompt"), &case.text("text"))
}

pub fn many(model: &Model, case: &Case) -> Shown {
    let engine = model.engine(&EngineOptions::new()).map_err(say)?;
    let (prompts, texts): (Vec<_>, Vec<_>) = (case.texts("prompt"), case.texts("text"));
    let count = prompts.len() * case.number("copies") as usize;
    let mut requests = Vec::new();
    for tag in 0..count {
        let chat = chat_of(model, &prompts[tag % prompts.len()])?;
        requests.push(engine.submit_with(&chat, &RequestOptions::new().tag(tag as u64)).map_err(say)?);
    }
    let mut answers: Vec<Answer> = (0..count).map(|_| Answer::default()).collect();
    while answers.iter().any(|answer| answer.whole.end.is_none()) {
        match engine.next_event(Some(Duration::from_secs(60))).map_err(say)? {
            Next::Event(event) => answers[event.tag as usize].take(event)?,
            other => return Err(format!("{:?}", other)),
        }
    }
    for (tag, answer) in answers.iter().enumerate() {
        same!("text", texts[tag % texts.len()], answer.text.as_bytes());
    }
    Ok(())
}

pub fn two_models(_: &Model, case: &Case) -> Shown {
    let mut models = vec![Model::load("scout-tiny").map_err(say)?, Model::load("scout-tiny").map_err(say)?];
    let (prompts, texts) = (case.texts("prompt"), case.texts("text"));
    for (i, (prompt, text)) in prompts.iter().zip(&texts).enumerate() {
        text_of(&models[i % 2], prompt, text)?;
    }
    models.remove(0);
    text_of(&models[0], &prompts[0], &texts[0])
}

pub fn threads(model: &Model, case: &Case) -> Shown {
    let (prompts, texts) = (case.texts("prompt"), case.texts("text"));
    thread::scope(|scope| {
        let ask = |i: usize| text_of(model, &prompts[i % prompts.len()], &texts[i % texts.len()]);
        let workers: Vec<_> = (0..case.number("threads") as usize).map(|i| scope.spawn(move || ask(i))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| Err("a thread panicked".to_string())))
    })
}

pub fn close_twice(_: &Model, _: &Case) -> Shown {
    Err("n/a: what is dropped cannot be named again".to_string())
}

pub fn close_parent_first(_: &Model, case: &Case) -> Shown {
    let model = Model::load("scout-tiny").map_err(say)?;
    let mut request = model.generate(std::str::from_utf8(&case.text("prompt")).unwrap()).map_err(say)?;
    drop(model);
    same!("text", case.text("text"), Answer::read(&mut request)?.text.as_bytes());
    Ok(())
}

pub fn resident_bytes() -> i64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<i64>().ok()).unwrap_or(0) * 4096
}

pub fn repeated(model: &Model, case: &Case) -> Shown {
    let (count, mut before) = (case.number("count"), 0);
    for i in 0..count {
        if i == count / 10 {
            before = resident_bytes();
        }
        match case.value("what") {
            "chat" => drop(chat_of(model, b"Hello!")?),
            "request" => drop(model.generate("Hello!").map_err(say)?),
            _ => drop(Model::load("scout-tiny").map_err(say)?),
        }
    }
    let grown = resident_bytes() - before;
    if grown < case.number("growth_bytes") {
        Ok(())
    } else {
        Err(format!("grew by {} bytes", grown))
    }
}

pub fn error_load(_: &Model, case: &Case) -> Shown {
    let mut options = LoadOptions::new();
    for (name, value) in case.pairs("load_option") {
        options = match name {
            "memory_limit_bytes" => options.memory_limit_bytes(value.parse().unwrap()),
            "context" => options.context(value.parse().unwrap()),
            "device" => options.device(value),
            _ => panic!("the option {} is not known to this runner", name),
        };
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let mut path = folder.join(&case.name);
    let bundled = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../examples/models/scout-tiny.gguf");
    let write = |path: &PathBuf, data: &[u8]| fs::write(path, data).map_err(|error| error.to_string());
    if case.has("path") {
        path = PathBuf::from(case.value("path"));
    } else if case.has("folder") {
        fs::create_dir_all(&path).map_err(|error| error.to_string())?;
        for (name, contents) in case.pairs("folder") {
            write(&path.join(name), &unescape(contents))?;
        }
    } else if case.has("file") {
        write(&path, &case.text("file"))?;
    } else {
        let mut data = fs::read(bundled).map_err(|error| error.to_string())?;
        if case.has("model_head") {
            data.truncate(case.number("model_head") as usize);
        } else {
            let fill = case.numbers::<usize>("model_fill");
            data[fill[0]..fill[0] + fill[1]].fill(fill[2] as u8);
        }
        write(&path, &data)?;
    }
    refused(case, Model::load_with(path, &options))
}

pub fn error_generate(model: &Model, case: &Case) -> Shown {
    refused(case, model.generate_with(case.value("prompt"), &request_options(case)))
}

pub fn error_engine(model: &Model, case: &Case) -> Shown {
    let engine = model.engine(&engine_options(case)).map_err(say)?;
    refused(case, engine.submit(&chat_of(model, &case.text("prompt"))?))
}

pub fn error_full(model: &Model, case: &Case) -> Shown {
    let engine = model.engine(&engine_options(case).stepped()).map_err(say)?;
    let chat = chat_of(model, &case.text("prompt"))?;
    let mut requests = Vec::new();
    for _ in 0..case.number("most") {
        match engine.submit(&chat) {
            Ok(request) => requests.push(request),
            Err(error) => {
                same!("status", case.number("status"), i64::from(error.status()));
                return Ok(());
            }
        }
    }
    Err("it was never full".to_string())
}

pub fn error_call(model: &Model, case: &Case) -> Shown {
    let engine = model.engine(&EngineOptions::new()).map_err(say)?;
    let mut chat = chat_of(model, b"Hello!")?;
    match case.value("call") {
        "decode_past_vocabulary" => refused(case, model.decode(&case.numbers::<i32>("ids"))),
        "submit_past_vocabulary" | "submit_nothing" => {
            refused(case, engine.submit_tokens(&case.numbers::<i32>("ids"), &RequestOptions::new()))
        }
        "token_find_unknown" => refused(case, model.find_token(case.value("text"))),
        "second_system_message" => refused(case, chat.system("x")),
        "chat_text_without_begin" => refused(case, chat.add_text("x")),
        "answer_of_unfinished_request" => {
            let request = engine.submit_with(&chat, &RequestOptions::new().ignore_end(true)).map_err(say)?;
            refused(case, chat.add_answer(&request))
        }
        "step_of_threaded_engine" => refused(case, engine.step(Duration::from_millis(1))),
        "layer_past_the_last" => refused(case, model.layer(case.number("index") as i32)),
        "device_past_the_last" => refused(case, scout::device(case.number("index") as usize)),
        "closed_model" | "closed_request" => Err("n/a: what is dropped cannot be named again".to_string()),
        other => Err(format!("the call {} is not known to this runner", other)),
    }
}
