//! Many requests at once: one engine shares its steps between them, one loop takes the events of all.
//! Usage: many [MODEL [QUESTION...]]
use scout::{EngineOptions, Error, Model, Next, RequestOptions};
use std::env;

const QUESTIONS: [&str; 4] = ["Tell me a story about a fox.", "What is 7 plus 5?", "What is 20 minus 8?", "What is the opposite of up?"];

fn main() -> Result<(), Error> {
    let model = Model::load(env::args().nth(1).unwrap_or_else(|| "scout-tiny".to_string()))?;
    let mut questions: Vec<String> = env::args().skip(2).collect();
    if questions.is_empty() {
        questions = QUESTIONS.iter().map(|text| text.to_string()).collect();
    }
    let engine = model.engine(&EngineOptions::new())?;
    let mut requests = Vec::new(); // dropping a request would cancel it
    for (tag, question) in questions.iter().enumerate() {
        let mut chat = model.chat()?;
        chat.user(question)?;
        // Error::Again, a full waiting list, would be a server's 503.
        requests.push(engine.submit_with(&chat, &RequestOptions::new().tag(tag as u64).max_tokens(200))?);
    }
    let mut replies = vec![String::new(); questions.len()];
    let mut open = questions.len();
    while open > 0 {
        if let Next::Event(event) = engine.next_event(None)? {
            let reply = &mut replies[event.tag as usize];
            reply.push_str(&event.text);
            if let Some(end) = event.end {
                let took = (end.prefill + end.decode).as_millis();
                println!("{}\n  {}\n  ({} tokens in {} ms)", questions[event.tag as usize], reply, end.generated_tokens, took);
                open -= 1;
            }
        }
    }
    Ok(())
}
