//! Clips: shared, cancelled, of files, and asked about.
use scout::{Error, Frame, Image, LoadOptions, Model, RequestOptions, Role, Video, VideoCanceller, VideoInfo, VideoOptions};
use std::time::Duration;
use std::{fs, thread};

#[allow(dead_code)]
#[path = "conformance/list.rs"]
mod list;

/// 16 x 16 pixels, two seconds, two frames a second.
fn clip() -> Vec<u8> {
    let cases = list::read(include_str!("../../../conformance.txt"));
    cases.iter().find(|case| case.name == "video.a_frame_a_second").expect("the case is there").text("clip")
}

/// Nothing where the library has no plug-in for video.
fn opened(options: &VideoOptions) -> Option<Video> {
    match Video::from_bytes_with(&clip(), options) {
        Err(Error::Unsupported(why)) if why.contains("plug-in") => {
            println!("skipped: {}", why);
            None
        }
        opened => Some(opened.unwrap()),
    }
}

fn times(video: Video) -> Vec<u64> {
    video.map(|frame| frame.unwrap().time.as_millis() as u64).collect()
}

#[test]
fn types_promise_what_the_header_promises() {
    fn sent<T: Send>() {}
    fn shared<T: Send + Sync>() {}
    sent::<Video>();
    shared::<VideoCanceller>();
    shared::<VideoOptions>();
    shared::<VideoInfo>();
    shared::<Frame>();
}

#[test]
fn a_file_is_a_clip_whatever_its_name() {
    if opened(&VideoOptions::new()).is_none() {
        return;
    }
    let path = std::env::temp_dir().join(format!("scout-clip-{}.txt", std::process::id()));
    fs::write(&path, clip()).unwrap();
    let video = Video::open_with(&path, &VideoOptions::new().fps(2.0));
    fs::remove_file(&path).unwrap();
    assert_eq!(times(video.unwrap()), [0, 500, 1000, 1500]);
    let nowhere = Video::from_bytes_with(&clip(), &VideoOptions::new().plugin_dir("no/such/folder"));
    assert!(matches!(nowhere, Err(Error::Unsupported(message)) if message.contains("no/such/folder")));
}

#[test]
fn pictures_outlive_their_clip_and_a_loop_goes_on_where_it_was() {
    let mut video = match opened(&VideoOptions::new().fps(2.0).max_tiles(3)) {
        Some(video) => video,
        None => return,
    };
    let first = video.by_ref().next().unwrap().unwrap();
    assert_eq!(first.max_tiles, 3);
    assert_eq!(times(video), [500, 1000, 1500]);
    assert_eq!((first.image.info().unwrap().width, first.time), (16, Duration::ZERO));
}

#[test]
fn a_failure_ends_the_frames() {
    let mut video = match opened(&VideoOptions::new().fps(2.0).max_work(2 * 16 * 16)) {
        Some(video) => video,
        None => return,
    };
    let found: Vec<_> = video.by_ref().collect();
    assert_eq!(found.iter().filter(|frame| frame.is_err()).count(), 1);
    assert!(matches!(found.last(), Some(Err(Error::Limit(_)))));
    assert!(matches!(video.next_frame(), Err(Error::Limit(_)))); // fails as it did before
}

#[test]
fn another_thread_cancels() {
    for _ in 0..20 {
        let mut video = match opened(&VideoOptions::new().fps(1000.0).max_frames(4000)) {
            Some(video) => video,
            None => return,
        };
        let canceller = video.canceller();
        let taking = thread::spawn(move || loop {
            match video.next_frame() {
                Ok(_) => continue, // also at the end
                Err(error) => return error,
            }
        });
        canceller.cancel();
        assert!(matches!(taking.join().unwrap(), Error::Cancelled(_)));
    }
}

#[test]
fn a_clip_is_its_frames_with_their_times() {
    let path = match std::env::var("SCOUT_SEEING") {
        Ok(path) => path,
        Err(_) => {
            println!("skipped: SCOUT_SEEING does not name a model with vision");
            return;
        }
    };
    let mut video = match opened(&VideoOptions::new()) {
        Some(video) => video,
        None => return,
    };
    let frames: Vec<Frame> = opened(&VideoOptions::new()).unwrap().collect::<Result<_, _>>().unwrap();
    let model = Model::load_with(&path, &LoadOptions::new().vision(true)).unwrap();
    let engine = model.engine(&Default::default()).unwrap();
    let (mut chats, mut answers) = (Vec::new(), Vec::new());
    for way in 0..3 {
        let mut chat = model.chat().unwrap();
        chat.begin(Role::User).unwrap();
        match way {
            0 => assert_eq!(chat.add_video(&mut video).unwrap(), frames.len()),
            1 => frames.iter().for_each(|frame| chat.add_frame(frame).unwrap()),
            _ => {
                for frame in &frames {
                    chat.add_text(format!("[{:.1} s]", frame.time.as_secs_f64())).unwrap();
                    chat.add_image(&frame.image).unwrap();
                }
            }
        }
        chat.add_text("What moves?").unwrap();
        chats.push(chat.tokens().unwrap());
        let asked = RequestOptions::new().max_tokens(6).ignore_end(true).logprobs(true);
        answers.push(engine.submit_with(&chat, &asked).unwrap().flat_map(|event| event.unwrap().logprobs).collect::<Vec<f32>>());
    }
    assert!(video.next().is_none()); // the chat took them all
    assert_eq!((&chats[0], &answers[0]), (&chats[1], &answers[1]));
    assert_eq!((&chats[0], &answers[0]), (&chats[2], &answers[2]));

    let mut chat = model.chat().unwrap();
    chat.begin(Role::User).unwrap();
    chat.add_text("so").unwrap();
    let before = chat.tokens().unwrap();
    let mut costly = opened(&VideoOptions::new().fps(2.0).max_work(2 * 16 * 16)).unwrap();
    assert!(matches!(chat.add_video(&mut costly), Err(Error::Limit(_))));
    assert_eq!(chat.tokens().unwrap(), before);
    let image = Image::from_pixels(&[0; 12], 2, 2, 3).unwrap();
    let refused = chat.add_frame(&Frame { image, time: Duration::MAX, max_tiles: 257 });
    assert!(matches!(refused, Err(Error::Argument(message)) if message.contains("257")));
}
