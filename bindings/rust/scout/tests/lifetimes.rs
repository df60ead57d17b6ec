//! What is made, kept, let go of and shared in every order.
use scout::{Error, Model, Next, RequestOptions, Stop};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

fn endless() -> RequestOptions {
    RequestOptions::new().ignore_end(true).max_tokens(4000)
}

fn model() -> Model {
    Model::load("scout-tiny").unwrap()
}

#[test]
fn a_model_may_lie_on_two_devices() {
    let options = scout::LoadOptions::new().placement("experts=ref; head=ref");
    let placed = Model::load_with("scout-tiny", &options).unwrap();
    let few = RequestOptions::new().max_tokens(12);
    let text = |model: &Model| model.generate_with("Who are you?", &few).unwrap().text().unwrap();
    assert_eq!(text(&placed), text(&model()));
    let devices = placed.devices().unwrap();
    assert_eq!(devices.iter().map(|device| device.name.as_str()).collect::<Vec<_>>(), ["cpu", "ref"]);
    assert!(devices.iter().all(|device| device.weight_bytes > 0));
    assert!(placed.info().unwrap().placement.ends_with("head=ref"));
    let refused = Model::load_with("scout-tiny", &scout::LoadOptions::new().placement("tail=ref"));
    assert!(refused.err().unwrap().to_string().contains("there is no unit"));
}

/// What may go to other threads, and what threads may share, as the compiler sees it.
#[test]
fn types_promise_what_the_header_promises() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    send::<Model>();
    sync::<Model>();
    send::<scout::Engine>();
    sync::<scout::Engine>();
    send::<scout::Request>();
    send::<scout::Chat>();
    send::<scout::Canceller>();
    sync::<scout::Canceller>();
    sync::<scout::Loading>();
    send::<scout::Scores>();
    send::<RequestOptions>();
    send::<Error>();
    sync::<Error>();
}

#[test]
fn a_request_outlives_engine_model_and_chat() {
    let model = model();
    let engine = model.engine(&Default::default()).unwrap();
    let mut chat = model.chat().unwrap();
    chat.user("What is 7 plus 5?").unwrap();
    let alone = engine.submit(&chat).unwrap().text().unwrap();
    let request = engine.submit(&chat).unwrap();
    drop(chat);
    drop(engine);
    drop(model);
    assert_eq!(request.text().unwrap(), alone);
}

#[test]
fn scores_outlive_their_engine() {
    let model = model();
    let scores = model.engine(&Default::default()).unwrap().score(&model.encode("7 + 5 = 12.").unwrap()).unwrap();
    drop(model);
    let rows: usize = scores.map(|block| block.unwrap().positions.len()).sum();
    assert!(rows > 4);
}

#[test]
fn a_request_moves_between_threads_in_its_midst() {
    let mut request = model().generate_with("Tell me a story about a fox.", &RequestOptions::new().max_tokens(12)).unwrap();
    let mut ids = request.next().unwrap().unwrap().ids;
    let rest = thread::spawn(move || request.flat_map(|event| event.unwrap().ids).collect::<Vec<_>>()).join().unwrap();
    ids.extend(rest);
    assert_eq!(ids.len(), 12);
}

#[test]
fn a_canceller_outlives_its_request_and_does_not_keep_it() {
    let model = model();
    let engine = model.engine(&Default::default()).unwrap();
    let mut chat = model.chat().unwrap();
    chat.user("Hello!").unwrap();
    let request = engine.submit_with(&chat, &endless()).unwrap();
    let canceller = request.canceller();
    drop(request);
    let before = Instant::now();
    while engine.stats().unwrap().running + engine.stats().unwrap().waiting > 0 {
        assert!(before.elapsed() < Duration::from_secs(10), "a dropped request still runs");
        thread::sleep(Duration::from_millis(1));
    }
    canceller.cancel();
    canceller.cancel();
}

#[test]
fn cancelling_ends_an_answer_that_is_waited_for() {
    let mut request = model().generate_with("Hello!", &endless()).unwrap();
    let canceller = request.canceller();
    let other = thread::spawn(move || {
        thread::sleep(Duration::from_millis(30));
        canceller.cancel();
    });
    let end = request.find_map(|event| event.unwrap().end).unwrap();
    other.join().unwrap();
    assert_eq!(end.stop, Stop::Cancelled);
    assert!(matches!(end.error, Some(Error::Cancelled(_))), "{:?}", end);
    assert!(request.next().is_none());
    assert!(matches!(
        model().generate_with("Hello!", &endless()).map(|r| {
            r.cancel().unwrap();
            r.text()
        }),
        Ok(Err(Error::Cancelled(_)))
    ));
}

#[test]
fn an_error_is_the_one_of_its_own_call() {
    let model = model();
    let workers: Vec<_> = (0..16)
        .map(|i: i32| {
            let model = model.clone();
            thread::spawn(move || {
                for k in 0..200 {
                    let id = 1_000_000 + i * 1000 + k;
                    let error = model.decode(&[id]).unwrap_err();
                    assert!(matches!(&error, Error::Argument(message) if message.contains(&id.to_string())), "{}: {}", id, error);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
}

#[test]
fn a_text_with_a_nul_is_never_cut() {
    let model = model();
    assert!(matches!(Model::load("a\0b"), Err(Error::Argument(message)) if message.contains("byte 1")));
    let few = RequestOptions::new().max_tokens(12);
    let engine = model.default_engine().unwrap();
    let mut chat = model.chat().unwrap();
    chat.user("Who are\0 you?").unwrap();
    let whole = engine.submit_with(&chat, &few).unwrap().text().unwrap();
    assert_eq!(model.generate_with("Who are\0 you?", &few).unwrap().text().unwrap(), whole);
    assert_eq!(engine.submit_text(b"Who are\0 you?", &few).unwrap().text().unwrap(), whole);
    assert_ne!(model.generate_with("Who are", &few).unwrap().text().unwrap(), whole);
}

#[test]
fn the_default_engine_is_the_one_that_generates() {
    let model = model();
    let engine = model.default_engine().unwrap();
    let before = engine.stats().unwrap().generated_tokens;
    let text = model.generate("Hello!").unwrap().text().unwrap();
    assert!(engine.stats().unwrap().generated_tokens > before);
    drop(engine);
    assert_eq!(model.generate("Hello!").unwrap().text().unwrap(), text);
}

#[test]
fn a_wake_ends_a_wait_now_or_later() {
    let model = model();
    let engine = model.engine(&Default::default()).unwrap();
    let waiting = {
        let engine = engine.clone();
        thread::spawn(move || engine.next_event(None).unwrap())
    };
    thread::sleep(Duration::from_millis(5));
    engine.wake().unwrap();
    assert_eq!(waiting.join().unwrap(), Next::NotYet);
    engine.wake().unwrap();
    assert_eq!(engine.next_event(None).unwrap(), Next::NotYet);
    let mut request = engine.submit_text("Hello!", &RequestOptions::new()).unwrap();
    assert!(matches!(engine.next_event(None).unwrap(), Next::Event(_)));
    assert!(matches!(request.next_within(None), Err(Error::State(_))), "the engine's reader has it");
}

#[test]
fn there_are_descriptors() {
    let mut loading = Model::load_start("scout-tiny", &Default::default()).unwrap();
    let operation = loading.descriptor();
    let model = loading.wait_within(Duration::from_secs(60)).unwrap().unwrap();
    let engine = model.engine(&Default::default()).unwrap();
    let request = engine.submit_text("Hello!", &RequestOptions::new()).unwrap();
    let scores = engine.score(&[1, 2, 3]).unwrap();
    let found = [operation, engine.descriptor(), request.descriptor(), scores.descriptor()];
    if cfg!(target_os = "linux") {
        let different: std::collections::HashSet<_> = found.iter().map(|descriptor| descriptor.unwrap()).collect();
        assert_eq!(different.len(), 4);
    }
}

#[test]
fn the_log_is_read() {
    scout::open_log(scout::Level::Info, 1000).unwrap();
    drop(model());
    // Other tests load models too: the log is the process's.
    let line = scout::next_log(Some(Duration::from_secs(60))).unwrap().unwrap();
    assert!(line.level <= scout::Level::Info && !line.text.is_empty());
    let ended = thread::spawn(|| while scout::next_log(None).unwrap().is_some() {});
    scout::close_log();
    ended.join().unwrap();
    assert_eq!(scout::next_log(None).unwrap(), None);
    assert!(matches!(scout::open_log(scout::Level::Info, 1 << 20), Err(Error::Argument(_))));
    assert_eq!(scout::status_name(Error::Limit(String::new()).status()), "SCOUT_ERR_LIMIT");
}

#[test]
fn several_threads_take_one_engines_events() {
    let model = model();
    let engine = model.engine(&Default::default()).unwrap();
    let mut chat = model.chat().unwrap();
    chat.user("What is 7 plus 5?").unwrap();
    let alone = engine.submit(&chat).unwrap().text().unwrap();
    let requests: Vec<_> = (0..16).map(|tag| engine.submit_with(&chat, &RequestOptions::new().tag(tag)).unwrap()).collect();
    let texts = Arc::new(Mutex::new(vec![Vec::new(); 16]));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let (engine, texts) = (engine.clone(), texts.clone());
            thread::spawn(move || {
                while let Next::Event(event) = engine.next_event(Some(Duration::from_millis(500))).unwrap() {
                    texts.lock().unwrap()[event.tag as usize].extend(event.ids);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    // Pieces may be noted in another order than they were taken; none is lost and none comes twice.
    let mut expected = model.generate("What is 7 plus 5?").unwrap().flat_map(|event| event.unwrap().ids).collect::<Vec<_>>();
    expected.sort_unstable();
    for ids in texts.lock().unwrap().iter_mut() {
        ids.sort_unstable();
        assert_eq!(*ids, expected);
    }
    assert!(!alone.is_empty());
    drop(requests);
}

#[test]
fn a_loading_that_is_dropped_ends() {
    for _ in 0..20 {
        drop(Model::load_start("scout-tiny", &Default::default()).unwrap());
    }
    let mut loading = Model::load_start("scout-tiny", &Default::default()).unwrap();
    let loaded = loading.wait_within(Duration::from_secs(60)).unwrap().expect("a minute is enough");
    assert!(matches!(loading.wait_within(Duration::ZERO), Err(Error::State(_))), "a second model came");
    assert_eq!(loaded.info().unwrap().architecture, "llama4");
}

#[test]
fn a_panic_in_a_log_sink_stays_there() {
    let seen = Arc::new(Mutex::new(0));
    let count = seen.clone();
    scout::set_log_sink(scout::Level::Debug, move |_, line| {
        assert!(!line.contains('\n'));
        *count.lock().unwrap() += 1;
        panic!("not further than this");
    });
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    drop(model());
    std::panic::set_hook(hook);
    scout::clear_log_sink();
    drop(model());
    let lines = *seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    assert_eq!(Arc::strong_count(&seen), 1, "the sink is dropped");
    assert!(lines > 0, "loading logs something at this level");
}
