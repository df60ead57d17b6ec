//! The list of behaviours that every binding shows: bindings/conformance/README.md tells what each kind is.
mod list;

use list::{unescape, Case};
use scout::{Chat, Encode, EngineOptions, Error, Event, LoadOptions, Model, Next, Request, RequestOptions, Role, Stop};
use std::time::{Duration, Instant};
use std::{env, fs, path::PathBuf, thread};

/// Ok, or what is wrong; `n/a: why` is for what the language's types exclude.
type Shown = Result<(), String>;

macro_rules! same {
    ($what:expr, $expected:expr, $came:expr) => {{
        match (&$expected, &$came) {
            (expected, came) if *expected != *came => return Err(format!("{}: {:?} expected, {:?} came", $what, expected, came)),
            _ => {}
        }
    }};
}

fn say(error: Error) -> String {
    format!("{}: {}", error.status(), error)
}

fn near(what: &str, expected: f64, came: f32, tolerance: f64) -> Shown {
    if (expected - f64::from(came)).abs() <= tolerance {
        Ok(())
    } else {
        Err(format!("{}: {} expected, {} came", what, expected, came))
    }
}

// ---- answers and options

#[derive(Default, Debug)]
struct Answer {
    text: String,
    whole: Event,
    events: usize,
}

impl Answer {
    fn take(&mut self, event: Event) -> Shown {
        if self.whole.end.is_some() {
            return Err("an event after the last".to_string());
        }
        self.events += usize::from(!event.text.is_empty());
        self.text += &event.text;
        self.whole.ids.extend(&event.ids);
        self.whole.logprobs.extend(&event.logprobs);
        self.whole.top.extend(event.top.iter().cloned());
        self.whole.end = event.end;
        Ok(())
    }

    fn read(request: &mut Request) -> Result<Answer, String> {
        let mut answer = Answer::default();
        for event in &mut *request {
            answer.take(event.map_err(say)?)?;
        }
        if request.next().is_some() || answer.whole.end.is_none() {
            return Err("the end is not where it should be".to_string());
        }
        Ok(answer)
    }

    fn of(model: &Model, prompt: &[u8], options: &RequestOptions) -> Result<Answer, String> {
        Answer::read(&mut model.generate_with(std::str::from_utf8(prompt).unwrap(), options).map_err(say)?)
    }
}

fn text_of(model: &Model, prompt: &[u8], expected: &[u8]) -> Shown {
    let answer = Answer::of(model, prompt, &RequestOptions::new())?;
    same!(String::from_utf8_lossy(prompt), expected, answer.text.as_bytes());
    Ok(())
}

fn stop_number(stop: Stop) -> i64 {
    match stop {
        Stop::End => 1,
        Stop::String => 2,
        Stop::Length => 3,
        Stop::Cancelled => 4,
        Stop::Error => 5,
        _ => -1,
    }
}

fn request_options(case: &Case) -> RequestOptions {
    let mut options = RequestOptions::new();
    for (name, value) in case.pairs("option") {
        let (number, real, yes) = (value.parse::<i64>().unwrap_or(0), value.parse::<f32>().unwrap_or(0.0), value == "1");
        options = match name {
            "temperature" => options.temperature(real),
            "top_p" => options.top_p(real),
            "frequency_penalty" => options.frequency_penalty(real),
            "seed" => options.seed(number as u64),
            "max_tokens" => options.max_tokens(number),
            "logprobs" => options.logprobs(yes),
            "top_logprobs" => options.top_logprobs(number as i32),
            "ignore_end" => options.ignore_end(yes),
            "include_special" => options.include_special(yes),
            "raw" => options.raw(yes),
            "stop" => options.stop(unescape(value)),
            "stop_tokens" => options.stop_token(number as i32),
            "bias" => {
                let (id, weight) = value.split_once(' ').unwrap();
                options.bias(id.parse().unwrap(), weight.parse().unwrap())
            }
            _ => panic!("the option {} is not known to this runner", name),
        };
    }
    options
}

fn engine_options(case: &Case) -> EngineOptions {
    case.pairs("engine_option").fold(EngineOptions::new(), |options, (name, value)| match name {
        "context" => options.context(value.parse().unwrap()),
        "max_waiting" => options.max_waiting(value.parse().unwrap()),
        "max_running" => options.max_running(value.parse().unwrap()),
        _ => panic!("the option {} is not known to this runner", name),
    })
}

fn chat_of(model: &Model, prompt: &[u8]) -> Result<Chat, String> {
    let mut chat = model.chat().map_err(say)?;
    chat.user(prompt).map_err(say)?;
    Ok(chat)
}

/// A call that must fail as the case says.
fn refused<T>(case: &Case, result: scout::Result<T>) -> Shown {
    let error = match result {
        Ok(_) => return Err("no error came".to_string()),
        Err(error) => error,
    };
    same!(format!("status ({})", error), case.number("status"), i64::from(error.status()));
    let names = String::from_utf8(case.text("names")).unwrap();
    if error.message().contains(&names) {
        Ok(())
    } else {
        Err(format!("the message does not name {:?}: {}", names, error))
    }
}

// ---- kinds

fn facts(model: &Model, case: &Case) -> Shown {
    let i = model.info().map_err(say)?;
    for (name, expected) in case.pairs("fact") {
        let came = match name {
            "layers" => i.layers.to_string(),
            "architecture" => i.architecture.clone(),
            "name" => i.name.clone(),
            "version" => i.version.clone(),
            "rope_scaling" => i.rope_scaling.clone(),
            "embedding" => i.embedding.to_string(),
            "heads" => i.heads.to_string(),
            "kv_heads" => i.kv_heads.to_string(),
            "head_dim" => i.head_dim.to_string(),
            "vocabulary" => i.vocabulary.to_string(),
            "tokenizer_size" => i.tokenizer_size.to_string(),
            "dense_hidden" => i.dense_hidden.to_string(),
            "expert_hidden" => i.expert_hidden.to_string(),
            "experts" => i.experts.to_string(),
            "experts_used" => i.experts_used.to_string(),
            "moe_layers" => i.moe_layers.to_string(),
            "global_layers" => i.global_layers.to_string(),
            "attention_chunk" => i.attention_chunk.to_string(),
            "context" => i.context.to_string(),
            "qk_norm" => i32::from(i.qk_norm).to_string(),
            "tied_head" => i32::from(i.tied_head).to_string(),
            "has_chat" => i32::from(i.has_chat).to_string(),
            "parameters" => i.parameters.to_string(),
            "file_bytes" => i.file_bytes.to_string(),
            real => {
                let all = [
                    ("rope_base", i.rope_base),
                    ("norm_eps", i.norm_eps),
                    ("temperature_length", i.temperature_length),
                    ("temperature_scale", i.temperature_scale),
                ];
                let came = all.iter().find(|(name, _)| *name == real).ok_or_else(|| format!("the fact {} is not known", real))?.1;
                let wanted: f64 = expected.parse().unwrap();
                same!(real, true, (came - wanted).abs() <= wanted.abs() * 1e-6);
                continue;
            }
        };
        same!(name, unescape(expected), came.as_bytes());
    }
    for row in case.all("layer").map(list::numbers::<i32>) {
        let layer = model.layer(row[0]).map_err(say)?;
        same!(format!("layer {}", row[0]), row[1..], [layer.moe as i32, layer.rope as i32, layer.chunked as i32][..]);
    }
    same!("tensor_count", case.number("tensor_count"), model.tensor_count() as i64);
    let tensor = model.tensor(0).map_err(say)?;
    same!("first_tensor", case.text("first_tensor"), tensor.name.as_bytes());
    same!("first_format", case.text("first_format"), tensor.format.as_bytes());
    same!("first_shape", case.numbers::<i64>("first_shape")[..], tensor.shape[..tensor.rank as usize]);
    Ok(())
}

fn statuses(_: &Model, case: &Case) -> Shown {
    same!("codes", 16, case.all("status").count());
    for row in case.all("status") {
        let mut parts = row.splitn(3, ' ');
        let code: i32 = parts.next().unwrap().parse().unwrap();
        let (name, words) = (parts.next().unwrap(), parts.next().unwrap());
        same!(name, words, scout::status_text(code));
        if (0..2).contains(&code) {
            continue; // OK and DONE are no errors
        }
        let error = Error::from_status(code, "why");
        same!(name, code, error.status());
        // NoMemory("why") is SCOUT_ERR_NO_MEMORY.
        let variant = format!("{:?}", error);
        let plain = |text: &str| text.replace("SCOUT_", "").replace("ERR_", "").replace('_', "").to_lowercase();
        same!("the variant's name", plain(name), plain(variant.trim_end_matches("(\"why\")")));
    }
    Ok(())
}

fn encode(model: &Model, case: &Case) -> Shown {
    let (text, special, bos) = (case.text("text"), case.number("special") == 1, case.number("bos") == 1);
    let how = if special { Encode::SPECIAL } else { Encode::PLAIN } | if bos { Encode::BOS } else { Encode::PLAIN };
    let ids = model.encode_with(&text, how).map_err(say)?;
    same!("ids", case.numbers::<i32>("ids"), ids);
    same!("count", ids.len(), model.count_tokens(&text, how).map_err(say)?);
    if !special && !bos {
        same!("decoded", text, model.decode(&ids).map_err(say)?);
    }
    Ok(())
}

fn decode(model: &Model, case: &Case) -> Shown {
    let ids = case.numbers::<i32>("ids");
    let text = if case.number("special") == 1 { model.decode_special(&ids) } else { model.decode(&ids) };
    same!("text", case.text("text"), text.map_err(say)?);
    Ok(())
}

fn utf16(model: &Model, case: &Case) -> Shown {
    let text = String::from_utf16_lossy(&case.numbers::<u16>("units"));
    same!("ids", case.numbers::<i32>("replaced"), model.encode(text).map_err(say)?);
    Ok(())
}

fn token(model: &Model, case: &Case) -> Shown {
    let id = case.number("id") as i32;
    let token = model.token(id).map_err(say)?;
    same!("bytes", case.text("bytes"), token.bytes);
    same!("special", case.number("special") == 1, token.special);
    if token.special {
        same!("found", id, model.find_token(&String::from_utf8(token.bytes).unwrap()).map_err(say)?);
    }
    Ok(())
}

fn stop_tokens(model: &Model, case: &Case) -> Shown {
    same!("ids", case.numbers::<i32>("ids"), model.stop_tokens().map_err(say)?);
    Ok(())
}

fn generate(model: &Model, case: &Case) -> Shown {
    let answer = Answer::of(model, &case.text("prompt"), &request_options(case))?;
    let end = answer.whole.end.as_ref().unwrap();
    same!("text", case.text("text"), answer.text.as_bytes());
    same!("ids", case.numbers::<i32>("ids"), answer.whole.ids);
    same!("stop", case.number("stop"), stop_number(end.stop));
    same!("prompt_tokens", case.number("prompt_tokens") as u64, end.prompt_tokens);
    if case.has("events") {
        same!("events", case.number("events") as usize, answer.events);
    }
    if case.has("logprobs") {
        let best: Vec<i32> = answer.whole.top.iter().map(|row| row[0].0).collect();
        same!("best_ids", case.numbers::<i32>("best_ids"), best);
        same!("top_count", true, answer.whole.top.iter().all(|row| row.len() == case.number("top_count") as usize));
        same!("logprobs", case.numbers::<f64>("logprobs").len(), answer.whole.logprobs.len());
        for (expected, came) in case.numbers::<f64>("logprobs").into_iter().zip(answer.whole.logprobs) {
            near("logprobs", expected, came, case.real("tolerance"))?;
        }
    }
    Ok(())
}

fn same_twice(model: &Model, case: &Case) -> Shown {
    let ask = || Answer::of(model, &case.text("prompt"), &request_options(case)).map(|answer| answer.whole.ids);
    let first = ask()?;
    same!("an empty answer", false, first.is_empty());
    same!("ids", first, ask()?);
    Ok(())
}

fn chat(model: &Model, case: &Case) -> Shown {
    let mut chat = model.chat().map_err(say)?;
    for (role, text) in case.pairs("message") {
        let role = match role {
            "system" => Role::System,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            _ => Role::Tool,
        };
        chat.add(role, unescape(text)).map_err(say)?;
    }
    same!("messages", case.all("message").count(), chat.len());
    same!("prompt_ids", case.numbers::<i32>("prompt_ids"), chat.tokens().map_err(say)?);
    Ok(())
}

fn turns(model: &Model, case: &Case) -> Shown {
    let engine = model.engine(&EngineOptions::new()).map_err(say)?;
    let mut chat = model.chat().map_err(say)?;
    let expected = case.all("question").zip(case.all("answer")).zip(case.numbers::<u64>("cached"));
    for ((question, text), cached) in expected {
        chat.user(unescape(question)).map_err(say)?;
        let mut request = engine.submit(&chat).map_err(say)?;
        let answer = Answer::read(&mut request)?;
        same!("answer", unescape(text), answer.text.as_bytes());
        same!("cached", cached, answer.whole.end.unwrap().cached_tokens);
        chat.add_answer(&request).map_err(say)?;
    }
    Ok(())
}

fn begun(model: &Model, case: &Case) -> Result<Request, String> {
    let prompt = String::from_utf8(case.text("prompt")).unwrap();
    let mut request = model.generate_with(&prompt, &request_options(case)).map_err(say)?;
    for _ in 0..case.number("after_events") {
        let event = request.next().ok_or("no event")?.map_err(say)?;
        same!("an early end", None, event.end);
    }
    Ok(request)
}

fn cancel(model: &Model, case: &Case) -> Shown {
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

fn dropped(model: &Model, case: &Case) -> Shown {
    let request = begun(model, case)?;
    let canceller = request.canceller();
    let before = Instant::now();
    drop(request);
    canceller.cancel(); // of a request that is gone: nothing
    same!("dropping takes 5 s", false, before.elapsed() > Duration::from_secs(5));
    Ok(())
}

fn timeout_stepped(model: &Model, case: &Case) -> Shown {
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

fn timeout_threaded(model: &Model, case: &Case) -> Shown {
    let engine = model.engine(&EngineOptions::new()).map_err(say)?;
    let wait = Duration::from_millis(case.number("timeout_ms") as u64);
    let before = Instant::now();
    same!("nothing", Next::NotYet, engine.next_event(Some(wait)).map_err(say)?);
    same!("too early", false, before.elapsed() + Duration::from_millis(1) < wait);
    Ok(())
}

fn load_cancel(_: &Model, _: &Case) -> Shown {
    let loading = Model::load_start("scout-tiny", &LoadOptions::new()).map_err(say)?;
    loading.cancel().map_err(say)?;
    match loading.wait() {
        Ok(_) | Err(Error::Cancelled(_)) => Ok(()),
        Err(error) => Err(say(error)),
    }
}

fn load_wait(_: &Model, case: &Case) -> Shown {
    let loading = Model::load_start("scout-tiny", &LoadOptions::new()).map_err(say)?;
    let (done, total) = loading.progress().map_err(say)?;
    same!("done past total", false, done > total);
    text_of(&loading.wait().map_err(say)?, &case.text("prompt"), &case.text("text"))
}

fn score(model: &Model, case: &Case) -> Shown {
    let engine = model.engine(&EngineOptions::new()).map_err(say)?;
    let (mut positions, mut logprobs) = (Vec::new(), Vec::new());
    for block in engine.score(&case.numbers::<i32>("ids")).map_err(say)? {
        let block = block.map_err(say)?;
        positions.extend(block.positions);
        logprobs.extend(block.logprobs);
    }
    let expected = case.numbers::<f64>("logprobs");
    same!("positions", (0..=expected.len() as i64).collect::<Vec<_>>(), positions);
    same!("position 0 is a number", false, !logprobs[0].is_nan());
    expected.iter().zip(&logprobs[1..]).try_for_each(|(&expected, &came)| near("logprobs", expected, came, case.real("tolerance")))
}

fn score_logits(model: &Model, case: &Case) -> Shown {
    let engine = model.engine(&EngineOptions::new()).map_err(say)?;
    let positions = case.numbers::<i64>("positions");
    let (mut seen, mut best, mut largest) = (Vec::new(), Vec::new(), Vec::new());
    for block in engine.logits(&case.numbers::<i32>("ids"), &positions).map_err(say)? {
        let block = block.map_err(say)?;
        same!("vocabulary", case.number("vocabulary") as usize, block.vocabulary);
        seen.extend(block.positions);
        for row in block.logits.chunks(block.vocabulary) {
            let at = (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best });
            best.push(at as i32);
            largest.push(row[at]);
        }
    }
    same!("positions", positions, seen);
    same!("best_ids", case.numbers::<i32>("best_ids"), best);
    case.numbers::<f64>("logits")
        .iter()
        .zip(largest)
        .try_for_each(|(&expected, came)| near("logits", expected, came, case.real("tolerance")))
}

fn many(model: &Model, case: &Case) -> Shown {
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

fn two_models(_: &Model, case: &Case) -> Shown {
    let mut models = vec![Model::load("scout-tiny").map_err(say)?, Model::load("scout-tiny").map_err(say)?];
    let (prompts, texts) = (case.texts("prompt"), case.texts("text"));
    for (i, (prompt, text)) in prompts.iter().zip(&texts).enumerate() {
        text_of(&models[i % 2], prompt, text)?;
    }
    models.remove(0);
    text_of(&models[0], &prompts[0], &texts[0])
}

fn threads(model: &Model, case: &Case) -> Shown {
    let (prompts, texts) = (case.texts("prompt"), case.texts("text"));
    thread::scope(|scope| {
        let ask = |i: usize| text_of(model, &prompts[i % prompts.len()], &texts[i % texts.len()]);
        let workers: Vec<_> = (0..case.number("threads") as usize).map(|i| scope.spawn(move || ask(i))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| Err("a thread panicked".to_string())))
    })
}

fn close_twice(_: &Model, _: &Case) -> Shown {
    Err("n/a: what is dropped cannot be named again".to_string())
}

fn close_parent_first(_: &Model, case: &Case) -> Shown {
    let model = Model::load("scout-tiny").map_err(say)?;
    let mut request = model.generate(std::str::from_utf8(&case.text("prompt")).unwrap()).map_err(say)?;
    drop(model);
    same!("text", case.text("text"), Answer::read(&mut request)?.text.as_bytes());
    Ok(())
}

fn resident_bytes() -> i64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<i64>().ok()).unwrap_or(0) * 4096
}

fn repeated(model: &Model, case: &Case) -> Shown {
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

fn error_load(_: &Model, case: &Case) -> Shown {
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

fn error_generate(model: &Model, case: &Case) -> Shown {
    refused(case, model.generate_with(case.value("prompt"), &request_options(case)))
}

fn error_engine(model: &Model, case: &Case) -> Shown {
    let engine = model.engine(&engine_options(case)).map_err(say)?;
    refused(case, engine.submit(&chat_of(model, &case.text("prompt"))?))
}

fn error_full(model: &Model, case: &Case) -> Shown {
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

fn error_call(model: &Model, case: &Case) -> Shown {
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

type Kind = fn(&Model, &Case) -> Shown;
const KINDS: [(&str, Kind); 30] = [
    ("facts", facts),
    ("statuses", statuses),
    ("encode", encode),
    ("decode", decode),
    ("utf16", utf16),
    ("token", token),
    ("stop_tokens", stop_tokens),
    ("generate", generate),
    ("same_twice", same_twice),
    ("chat", chat),
    ("turns", turns),
    ("cancel", cancel),
    ("drop", dropped),
    ("timeout_stepped", timeout_stepped),
    ("timeout_threaded", timeout_threaded),
    ("load_cancel", load_cancel),
    ("load_wait", load_wait),
    ("score", score),
    ("score_logits", score_logits),
    ("many", many),
    ("two_models", two_models),
    ("threads", threads),
    ("close_twice", close_twice),
    ("close_parent_first", close_parent_first),
    ("loop", repeated),
    ("error_load", error_load),
    ("error_generate", error_generate),
    ("error_engine", error_engine),
    ("error_full", error_full),
    ("error_call", error_call),
];

fn main() {
    let path =
        env::var_os("CONFORMANCE_LIST").map_or(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../conformance.txt"), PathBuf::from);
    let cases = list::read(&fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {}", path.display(), error)));
    let skipped = env::var("CONFORMANCE_SKIP").unwrap_or_default();
    let model = Model::load("scout-tiny").unwrap_or_else(|error| panic!("{}", error));
    let (mut good, mut not_applicable, mut failed) = (0, 0, 0);
    for case in cases.iter().filter(|case| case.value("kind") != skipped) {
        let kind = KINDS.iter().find(|(name, _)| *name == case.value("kind"));
        let shown = kind.map_or(Err("this kind is not known to this runner".to_string()), |(_, show)| show(&model, case));
        match shown {
            Ok(()) => {
                good += 1;
                println!("ok {}", case.name);
            }
            Err(why) if why.starts_with("n/a: ") => {
                not_applicable += 1;
                println!("n/a {}: {}", case.name, &why[5..]);
            }
            Err(why) => {
                failed += 1;
                println!("FAILED {}: {}", case.name, why);
            }
        }
    }
    println!("Rust: {} ok, {} n/a, {} failed", good, not_applicable, failed);
    std::process::exit(i32::from(failed != 0 || good == 0));
}
