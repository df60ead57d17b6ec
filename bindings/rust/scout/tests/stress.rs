//! Many threads on one model, and what grows. `SCOUT_STRESS="THREADS LOOPS"` makes it longer.
use scout::{EngineOptions, Error, Image, Model, Next, RequestOptions, TileOptions};
use std::thread;
use std::time::Duration;

fn resident() -> i64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).map_or(0, |pages| pages.parse::<i64>().unwrap() * 4096)
}

fn few() -> RequestOptions {
    RequestOptions::new().max_tokens(4)
}

fn once(model: &Model, expected: &str, i: usize) -> scout::Result<()> {
    match i % 7 {
        0 => {
            let mut chat = model.chat()?;
            chat.user(&format!("Hello {}", i))?;
            assert!(chat.tokens()?.len() > 4);
        }
        1 => assert_eq!(model.generate_with("Hello!", &few())?.text()?, expected),
        2 => {
            // Cancelled by another thread while it is read, then dropped in its midst.
            let mut request = model.generate_with("Hello!", &RequestOptions::new().ignore_end(true).max_tokens(4000))?;
            request.next().unwrap()?;
            let canceller = request.canceller();
            let other = thread::spawn(move || canceller.cancel());
            if i % 4 == 0 {
                while request.next().is_some() {}
            }
            drop(request);
            other.join().unwrap();
        }
        3 => {
            let given = format!("a\0b {} \u{e9}", i);
            assert_eq!(model.decode(&model.encode(&given)?)?, given.as_bytes());
        }
        4 => {
            let name = format!("no/such/file-{:?}-{}", thread::current().id(), i);
            assert!(matches!(Model::load(&name), Err(Error::Io(message)) if message.contains(&name)));
        }
        5 => {
            // Looked at by two threads, dropped by the one that ends last.
            let image = Image::from_pixels(&vec![i as u8; 3600], 40, 30, 3)?;
            let other = image.clone();
            let looking = thread::spawn(move || other.tile(0, &TileOptions::new().tile_side(8)));
            assert_eq!(image.tile(0, &TileOptions::new().tile_side(16))?[..3], [i as u8; 3]);
            drop(image);
            looking.join().unwrap()?;
        }
        _ => {
            let engine = model.engine(&EngineOptions::new().context(256))?;
            let request = engine.submit_text("Hello!", &few().logprobs(true).top_logprobs(2))?;
            let scores = engine.logits(&[1, 2, 3], &[])?;
            assert!(matches!(engine.next_event(None)?, Next::Event(_)));
            let waking = engine.clone();
            let other = thread::spawn(move || waking.wake());
            while let Next::Event(_) = engine.next_event(Some(Duration::from_millis(50)))? {}
            other.join().unwrap()?;
            drop(engine);
            drop(request);
            drop(scores);
        }
    }
    Ok(())
}

fn together(threads: usize, loops: std::ops::Range<usize>, model: &Model, expected: &str) {
    let workers: Vec<_> = (0..threads)
        .map(|k| {
            let (model, expected, loops) = (model.clone(), expected.to_string(), loops.clone());
            thread::spawn(move || loops.for_each(|i| once(&model, &expected, i + k).unwrap()))
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
}

#[test]
fn stress() {
    let given = std::env::var("SCOUT_STRESS").unwrap_or_else(|_| "8 24".to_string());
    let numbers: Vec<usize> = given.split(' ').map(|number| number.parse().unwrap()).collect();
    let (threads, loops) = (numbers[0], numbers[1]);
    let model = Model::load("scout-tiny").unwrap();
    let expected = model.generate_with("Hello!", &few()).unwrap().text().unwrap();
    together(threads, 0..loops / 2, &model, &expected);
    let before = resident();
    together(threads, loops / 2..loops, &model, &expected);
    let grown = resident() - before;
    println!("Rust: {} threads, {} loops, {} bytes grown in the second half, 0 failed", threads, threads * loops, grown);
    // Arenas of the threads, until each has been used; a sanitizer keeps freed memory for a while.
    assert!(grown < if std::env::var_os("ASAN_OPTIONS").is_some() { 1 << 30 } else { 128 << 20 }, "{} bytes", grown);
}
