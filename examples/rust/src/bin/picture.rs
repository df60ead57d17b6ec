//! A question about a picture. Usage: picture [MODEL [QUESTION [FILE]]]; without a file, about one that is drawn here.
use scout::{Image, LoadOptions, Model, Role};
use std::io::{stdout, Write};

/// A red circle and a blue square on white.
fn drawn() -> scout::Result<Image> {
    const SIDE: i32 = 96;
    const HALF: i32 = SIDE / 2;
    const REACH: i32 = 18;
    let mut pixels = Vec::new();
    for y in 0..SIDE {
        for x in 0..SIDE {
            let (across, down) = (x % HALF - HALF / 2, y - HALF);
            let circle = x < HALF && across * across + down * down <= REACH * REACH;
            let square = x >= HALF && across.abs().max(down.abs()) <= REACH;
            pixels.extend(match (circle, square) {
                (true, _) => [220, 30, 30],
                (_, true) => [40, 70, 225],
                _ => [244, 244, 244],
            });
        }
    }
    Image::from_pixels(&pixels, SIDE as usize, SIDE as usize, 3)
}

fn ask(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let name = arguments.first().map_or("scout-tiny", String::as_str);
    let question = arguments.get(1).map_or("What is in the picture?", String::as_str);
    let model = Model::load_with(name, &LoadOptions::new().vision(true))?; // the tower that sees is loaded when it is asked for
    let image = arguments.get(2).map_or_else(drawn, Image::open)?; // a file is a PNG, JPEG or WebP
    let mut chat = model.chat()?;
    chat.begin(Role::User)?;
    chat.add_image(&image)?;
    chat.add_text(question)?;
    for event in model.default_engine()?.submit(&chat)? {
        print!("{}", event?);
        stdout().flush()?;
    }
    println!();
    Ok(())
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Err(error) = ask(&arguments) {
        eprintln!("picture: {}", error);
        std::process::exit(1);
    }
}
