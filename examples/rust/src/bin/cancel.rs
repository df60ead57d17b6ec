//! Streaming, and cancelling from another thread: here a clock, elsewhere a button or a connection that closes.
//! Usage: cancel [MODEL [MILLISECONDS]]
use scout::{Model, RequestOptions, Stop};
use std::time::Duration;
use std::{env, thread};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = Model::load(env::args().nth(1).unwrap_or_else(|| "scout-tiny".to_string()))?;
    let patience = Duration::from_millis(env::args().nth(2).map_or(Ok(50), |text| text.parse())?);
    // It would go on past its end.
    let mut request = model.generate_with("Tell me a story about a fox.", &RequestOptions::new().ignore_end(true))?;
    let canceller = request.canceller();
    let clock = thread::spawn(move || {
        thread::sleep(patience);
        canceller.cancel();
    });
    for event in &mut request {
        let event = event?;
        print!("{}", event);
        match event.end {
            Some(end) if end.stop == Stop::Cancelled => println!("\n(cancelled after {} tokens)", end.generated_tokens),
            Some(end) => println!("\n({:?}: {})", end.stop, end.message),
            None => {}
        }
    }
    clock.join().expect("the clock only sleeps and cancels");
    Ok(())
}
