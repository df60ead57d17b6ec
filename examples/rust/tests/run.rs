//! Each example is run, and its output looked at.
use std::process::Command;

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect("it starts");
    assert!(output.status.success(), "{}: {}", program, String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("whole characters")
}

fn answer(question: &str) -> String {
    scout::Model::load("scout-tiny").unwrap().generate(question).unwrap().text().unwrap()
}

#[test]
fn hello() {
    assert_eq!(run(env!("CARGO_BIN_EXE_hello"), &[]), answer("Tell me a story about a fox.") + "\n");
}

#[test]
fn chat() {
    let output = run(env!("CARGO_BIN_EXE_chat"), &["scout-tiny", "What is 7 plus 5?", "And 20 minus 8?"]);
    assert!(output.contains(&format!("> What is 7 plus 5?\n{}\n(", answer("What is 7 plus 5?"))), "{}", output);
    assert_eq!(output.matches("remembered)").count(), 2, "{}", output);
}

#[test]
fn cancel() {
    let output = run(env!("CARGO_BIN_EXE_cancel"), &["scout-tiny", "30"]);
    assert!(output.contains("\n(cancelled after "), "{}", output);
}

#[test]
fn many() {
    let output = run(env!("CARGO_BIN_EXE_many"), &[]);
    for question in ["Tell me a story about a fox.", "What is 7 plus 5?", "What is 20 minus 8?", "What is the opposite of up?"] {
        assert!(output.contains(&format!("{}\n  {}\n  (", question, answer(question))), "{}", output);
    }
}

#[test]
fn picture() {
    let output = Command::new(env!("CARGO_BIN_EXE_picture")).output().expect("it starts");
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned());
    // What the list of behaviours says of the bundled model: an answer, or why it sees no pictures.
    let list = include_str!("../../../bindings/conformance.txt");
    let case = list.split("\n\n").find(|case| case.starts_with("case chat_image.picture_first\n")).expect("the case is there");
    match case.lines().find_map(|line| line.strip_prefix("names ")) {
        Some(why) => assert_eq!((output.status.code(), wrong), (Some(1), format!("picture: {}\n", why))),
        None => assert!(output.status.success() && (said.contains("red") || said.contains("circle")), "{}{}", said, wrong),
    }
}

#[test]
fn an_error_is_one_line_and_a_failure() {
    let output = Command::new(env!("CARGO_BIN_EXE_many")).arg("no/such/file.gguf").output().expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.lines().count() == 1 && said.contains("no/such/file.gguf"), "{}", said);
}
