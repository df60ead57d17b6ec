//! A conversation with memory: each turn finds the pages of the turns before it and computes only what is new.
//! Usage: chat [MODEL [QUESTION...]]; without questions, one per line of stdin.
use std::io::{stdin, stdout, BufRead, Write};

/// Asks, prints the answer as it comes, and adds it to the conversation.
fn turn(engine: &scout::Engine, chat: &mut scout::Chat, question: &str) -> Result<(), Box<dyn std::error::Error>> {
    chat.user(question)?; // text can never become control tokens
    let mut request = engine.submit(chat)?;
    for event in &mut request {
        let event = event?;
        print!("{}", event);
        stdout().flush()?;
        if let Some(end) = event.end {
            println!("\n({} tokens of the prompt, {} of them remembered)", end.prompt_tokens, end.cached_tokens);
        }
    }
    chat.add_answer(&request)?; // exactly the tokens that were generated
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let model = scout::Model::load(arguments.next().unwrap_or_else(|| "scout-tiny".to_string()))?;
    let engine = model.engine(&scout::EngineOptions::new())?;
    let mut chat = model.chat()?;
    let questions: Vec<String> = arguments.collect();
    for question in &questions {
        println!("> {}", question);
        turn(&engine, &mut chat, question)?;
    }
    if questions.is_empty() {
        for line in stdin().lock().lines() {
            turn(&engine, &mut chat, &line?)?;
        }
    }
    Ok(())
}
