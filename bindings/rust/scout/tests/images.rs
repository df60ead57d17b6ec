//! Pictures: shared, kept and let go of, read from files, and asked about.
use scout::{EngineOptions, Error, Image, ImageOptions, LoadOptions, Model, RequestOptions, Role, ScoreOptions, TileOptions};
use std::path::PathBuf;
use std::thread;

fn picture(width: usize, height: usize, seed: u8) -> Image {
    let pixels: Vec<u8> = (0..width * height * 3).map(|i| (i as u32).wrapping_mul(2654435761).rotate_left(u32::from(seed)) as u8).collect();
    Image::from_pixels(&pixels, width, height, 3).unwrap()
}

fn small() -> TileOptions {
    TileOptions::new().tile_side(16)
}

#[test]
fn types_promise_what_the_header_promises() {
    fn shared<T: Send + Sync>() {}
    shared::<Image>();
    shared::<ImageOptions>();
    shared::<TileOptions>();
}

#[test]
fn threads_share_one_and_the_last_lets_go() {
    let image = picture(300, 200, 3);
    let first = image.tile(0, &small()).unwrap();
    let threads: Vec<_> = (0..8)
        .map(|n| {
            let (image, first) = (image.clone(), first.clone());
            thread::spawn(move || {
                for i in 0..20 {
                    let side = if (i + n) % 2 == 0 { 16 } else { 32 };
                    let tile = image.tile(0, &TileOptions::new().tile_side(side)).unwrap();
                    assert_eq!(tile.len(), (3 * side * side) as usize);
                    assert!(side != 16 || tile == first);
                }
            })
        })
        .collect();
    drop(image);
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn paths_and_folders_are_checked() {
    assert!(matches!(Image::open("a\0b"), Err(Error::Argument(message)) if message.contains("NUL")));
    assert!(matches!(Image::from_bytes(b""), Err(Error::Truncated(_))));
    assert!(matches!(Image::from_pixels(&[], 0, 0, 3), Err(Error::Argument(_))));
}

#[test]
fn files_are_read_and_turned() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/images/files/exif6.png");
    let image = match Image::open(&path) {
        Err(Error::Unsupported(message)) if message.contains("plug-in") => {
            println!("skipped: {}", message);
            return;
        }
        opened => opened.unwrap(),
    };
    let same = Image::from_bytes(&std::fs::read(&path).unwrap()).unwrap();
    let stored = Image::open_with(&path, &ImageOptions::new().orientation(1)).unwrap();
    let (info, other) = (image.info().unwrap(), stored.info().unwrap());
    assert_eq!((info.format.as_str(), info.orientation), ("PNG", 6));
    assert_eq!((info.width, info.height), (other.height, other.width));
    assert_eq!(image.tile(0, &small()), same.tile(0, &small()));
    assert_ne!(image.tile(0, &small()), stored.tile(0, &small()));
    let nowhere = Image::open_with(&path, &ImageOptions::new().plugin_dir("no/such/folder"));
    assert!(matches!(nowhere, Err(Error::Unsupported(message)) if message.contains("no/such/folder")));
}

#[test]
fn a_model_that_sees_answers() {
    let path = match std::env::var("SCOUT_SEEING") {
        Ok(path) => path,
        Err(_) => {
            println!("skipped: SCOUT_SEEING does not name a model with vision");
            return;
        }
    };
    let model = Model::load_with(&path, &LoadOptions::new().vision(true)).unwrap();
    let engine = model.engine(&Default::default()).unwrap();
    let options = model.tile_options().unwrap();
    let mut answers = Vec::new();
    for seed in [1, 2, 1] {
        let image = picture(48, 16, seed);
        let mut chat = model.chat().unwrap();
        chat.begin(Role::User).unwrap();
        chat.add_image(&image).unwrap();
        chat.add_text("what?").unwrap();
        let shown = image.tokens(&model, &options).unwrap();
        assert_eq!(shown.len() as u64, image.tiling(&options).unwrap().tokens);
        assert!(chat.tokens().unwrap().windows(shown.len()).any(|ids| ids == shown));
        drop(image);
        let asked = RequestOptions::new().max_tokens(8).ignore_end(true).logprobs(true);
        let found: Vec<f32> = engine.submit_with(&chat, &asked).unwrap().flat_map(|event| event.unwrap().logprobs).collect();
        answers.push(found);
    }
    assert_eq!(answers[0], answers[2]);
    assert_ne!(answers[0], answers[1]);
    let blind = Model::load(&path).unwrap();
    let mut chat = blind.chat().unwrap();
    chat.begin(Role::User).unwrap();
    let refused = chat.add_image(&picture(16, 16, 1));
    assert!(matches!(refused, Err(Error::Unsupported(message)) if message.contains("without its vision tower")));
    assert!(matches!(blind.tile_options(), Err(Error::State(_))));
}

#[test]
fn texts_and_ids_have_pictures_too() {
    let path = match std::env::var("SCOUT_SEEING") {
        Ok(path) => path,
        Err(_) => return, // said above
    };
    let model = Model::load_with(&path, &LoadOptions::new().vision(true)).unwrap();
    let engine = model.engine(&Default::default()).unwrap();
    let image = picture(16, 16, 1);
    let shown = image.tokens(&model, &model.tile_options().unwrap()).unwrap();
    let mut given = model.encode("a").unwrap();
    let mut wanted = given.clone();
    given.push(model.find_token("<|image|>").unwrap());
    wanted.extend(shown);
    let options = RequestOptions::new().raw(true).image(&image).max_tokens(4).ignore_end(true);
    assert_eq!(model.expand_prompt(&given, &options).unwrap(), wanted);
    let ids = model.prompt_tokens("a<|image|>", &options).unwrap();
    for _ in 0..2 {
        let request = engine.submit_text("a<|image|>", &options).unwrap();
        let last = request.map(|event| event.unwrap()).last().unwrap();
        assert_eq!(last.end.unwrap().prompt_tokens, ids.len() as u64);
    }
    let stats = engine.stats().unwrap();
    assert_eq!((stats.pictures_encoded, stats.picture_cache_misses), (1, 1));
    let scores = engine.score_with(&given, &ScoreOptions::new().image(&image)).unwrap();
    assert_eq!(scores.map(|block| block.unwrap().positions.len()).sum::<usize>(), wanted.len());
    assert!(matches!(model.prompt_tokens("a", &options), Err(Error::Argument(message)) if message.contains('1')));
    for (options, limit) in [(EngineOptions::new().picture_cache(false), 0), (EngineOptions::new().picture_cache_bytes(1000), 1000)] {
        assert_eq!(model.engine(&options).unwrap().stats().unwrap().picture_cache_limit_bytes, limit);
    }
}
