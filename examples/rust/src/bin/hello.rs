//! The three lines: load, ask, print.

fn main() -> Result<(), scout::Error> {
    let model = scout::Model::load("scout-tiny")?;
    for event in model.generate("Tell me a story about a fox.")? {
        print!("{}", event?);
    }
    println!();
    Ok(())
}
