//! The list of behaviours that every binding shows: bindings/conformance/README.md tells what each kind is.
macro_rules! same {
    ($what:expr, $expected:expr, $came:expr) => {{
        match (&$expected, &$came) {
            (expected, came) if *expected != *came => return Err(format!("{}: {:?} expected, {:?} came", $what, expected, came)),
            _ => {}
        }
    }};
}

mod image;
mod life;
mod list;
mod text;
mod video;

use list::{unescape, Case};
use scout::{Chat, EngineOptions, Error, Event, Model, Request, RequestOptions, Stop};
use std::{env, fs, path::PathBuf};

/// Ok, or what is wrong; `n/a: why` is for what the language's types exclude.
type Shown = Result<(), String>;

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

type Kind = fn(&Model, &Case) -> Shown;
const KINDS: [(&str, Kind); 37] = [
    ("facts", text::facts),
    ("statuses", text::statuses),
    ("encode", text::encode),
    ("decode", text::decode),
    ("utf16", text::utf16),
    ("token", text::token),
    ("stop_tokens", text::stop_tokens),
    ("generate", text::generate),
    ("same_twice", text::same_twice),
    ("chat", text::chat),
    ("turns", text::turns),
    ("cancel", life::cancel),
    ("drop", life::dropped),
    ("timeout_stepped", life::timeout_stepped),
    ("timeout_threaded", life::timeout_threaded),
    ("load_cancel", life::load_cancel),
    ("load_wait", life::load_wait),
    ("score", text::score),
    ("score_logits", text::score_logits),
    ("many", life::many),
    ("two_models", life::two_models),
    ("threads", life::threads),
    ("close_twice", life::close_twice),
    ("close_parent_first", life::close_parent_first),
    ("loop", life::repeated),
    ("error_load", life::error_load),
    ("error_generate", life::error_generate),
    ("error_engine", life::error_engine),
    ("error_full", life::error_full),
    ("error_call", life::error_call),
    ("image", image::image),
    ("tiling", image::tiling),
    ("image_tokens", image::image_tokens),
    ("chat_image", image::chat_image),
    ("error_image", image::error_image),
    ("video", video::video),
    ("error_video", video::error_video),
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
