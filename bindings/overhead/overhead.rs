//! What README.md says, in Rust. Usage: overhead REQUESTS TOKENS ROUNDS
use scout::{EngineOptions, LoadOptions, Model, Next, Request, RequestOptions};
use std::time::{Duration, Instant};

const PROMPT: &str = "Write an email about history.";

type Result<T> = scout::Result<T>;

extern "C" {
    /// Of the C library: microseconds of the processor, on Linux.
    fn clock() -> std::os::raw::c_long;
}

fn processor() -> f64 {
    // SAFETY: takes and gives numbers only.
    unsafe { clock() as f64 / 1e6 }
}

/// Tokens per second, and per second of the processor: the best so far.
#[derive(Default)]
struct Rate {
    most: f64,
    of_processor: f64,
}

impl Rate {
    fn run(&mut self, work: impl FnOnce() -> Result<usize>) -> Result<()> {
        let (start, used) = (Instant::now(), processor());
        let tokens = work()? as f64;
        self.most = self.most.max(tokens / start.elapsed().as_secs_f64());
        self.of_processor = self.of_processor.max(tokens / (processor() - used));
        Ok(())
    }
}

fn ask(engine: &scout::Engine, count: usize, options: &RequestOptions) -> Result<Vec<Request>> {
    (0..count)
        .map(|_| engine.submit_text(PROMPT, options))
        .collect()
}

fn many(model: &Model, count: usize, options: &RequestOptions, bytes: &mut usize) -> Result<usize> {
    let (mut tokens, mut open) = (0, count);
    let engine = model.engine(&EngineOptions::new())?;
    let requests = ask(&engine, count, options)?;
    while open > 0 {
        if let Next::Event(event) = engine.next_event(None)? {
            *bytes += event.text.len();
            tokens += event.ids.len();
            open -= usize::from(event.end.is_some());
        }
    }
    drop(requests);
    drop(engine);
    Ok(tokens)
}

fn one(model: &Model, count: usize, options: &RequestOptions, bytes: &mut usize) -> Result<usize> {
    let mut tokens = 0;
    for _ in 0..count {
        for event in model.generate_with(PROMPT, options)? {
            let event = event?;
            *bytes += event.text.len();
            tokens += event.ids.len();
        }
    }
    Ok(tokens)
}

/// All events are ready before the clock starts, so that only the calls are timed.
fn event_cost(
    model: &Model,
    count: usize,
    options: &RequestOptions,
    bytes: &mut usize,
) -> Result<(f64, usize)> {
    let engine = model.engine(&EngineOptions::new().stepped())?;
    let requests = ask(&engine, count, options)?;
    while engine.step(Duration::from_secs(1))? {}
    let (start, mut events) = (Instant::now(), 0);
    while let Next::Event(event) = engine.next_event(Some(Duration::ZERO))? {
        *bytes += event.text.len();
        events += 1;
    }
    let cost = start.elapsed().as_secs_f64() * 1e9 / events as f64;
    drop(requests);
    Ok((cost, events))
}

fn main() -> Result<()> {
    let given: Vec<usize> = std::env::args()
        .skip(1)
        .map(|argument| argument.parse().expect("a number"))
        .collect();
    let (count, tokens, rounds) = (given[0], given[1], given[2]);
    let model = Model::load_with("scout-tiny", &LoadOptions::new().threads(1))?;
    let options = RequestOptions::new()
        .ignore_end(true)
        .max_tokens(tokens as i64);
    let (mut least, mut together, mut alone, mut events, mut bytes) =
        (f64::INFINITY, Rate::default(), Rate::default(), 0, 0);
    for _ in 0..rounds {
        let (cost, found) = event_cost(&model, 64, &options, &mut bytes)?;
        least = least.min(cost);
        events = found;
        together.run(|| many(&model, count, &options, &mut bytes))?;
        alone.run(|| one(&model, (count + 4) / 5, &options, &mut bytes))?;
    }
    println!(
        "event {least:.1}\nmany {:.1}\nmany_processor {:.1}",
        together.most, together.of_processor
    );
    println!(
        "one {:.1}\none_processor {:.1}",
        alone.most, alone.of_processor
    );
    println!("events {events}\nbytes {bytes}");
    Ok(())
}
