//! Behaviours of pictures, which are made of numbers.
use crate::list::{self, unescape, Case};
use crate::{refused, say, Shown};
use scout::{Alpha, Image, ImageOptions, LoadOptions, Model, Resize, Role, TileOptions, Tiling};

fn image_options(case: &Case) -> ImageOptions {
    case.pairs("image_option").fold(ImageOptions::new(), |options, (name, value)| {
        let number: u64 = value.parse().unwrap();
        match name {
            "alpha" => options.alpha(if number == 2 { Alpha::White } else { Alpha::Drop }),
            "orientation" => options.orientation(number as i32),
            "max_pixels" => options.max_pixels(number),
            "max_bytes" => options.max_bytes(number),
            _ => panic!("the option {} is not known to this runner", name),
        }
    })
}

pub fn tile_options(case: &Case) -> TileOptions {
    case.pairs("tile_option").fold(TileOptions::new(), |options, (name, value)| {
        let number: i32 = value.parse().unwrap();
        match name {
            "tile_side" => options.tile_side(number),
            "max_tiles" => options.max_tiles(number),
            "patch_tokens" => options.patch_tokens(number),
            "resize" => options.resize(if number == 2 { Resize::Pil } else { Resize::Torchvision }),
            "threads" => options.threads(number),
            _ => panic!("the option {} is not known to this runner", name),
        }
    })
}

/// The high bytes of a linear congruential generator.
fn samples(count: usize, mut seed: u32) -> Vec<u8> {
    let next = || {
        seed = seed.wrapping_mul(1664525).wrapping_add(1013904223);
        (seed >> 24) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// Of width, height, channels and seed.
fn picture(numbers: &[u32], count: Option<usize>, stride: usize, options: &ImageOptions) -> scout::Result<Image> {
    let (width, height, channels) = (numbers[0] as usize, numbers[1] as usize, numbers[2] as usize);
    let pixels = samples(width * height * channels, numbers[3]);
    let given = count.unwrap_or(pixels.len());
    Image::from_pixels_with(&pixels[..given], width, height, stride, channels as i32, options)
}

fn plain(value: &str) -> Result<Image, String> {
    picture(&list::numbers(value), None, 0, &ImageOptions::new()).map_err(say)
}

fn grid(t: &Tiling) -> [i64; 6] {
    [t.rows, t.columns, t.tiles, t.drawn_width, t.drawn_height, t.tokens as i32].map(i64::from)
}

pub fn checksum(data: &[u8]) -> i64 {
    i64::from(data.iter().fold(2166136261u32, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(16777619)) & 0x7fff_ffff)
}

pub fn image(_: &Model, case: &Case) -> Shown {
    let image = picture(&case.numbers("picture"), None, 0, &image_options(case)).map_err(say)?;
    let info = image.info().map_err(say)?;
    same!("info", case.numbers::<i64>("info")[..], [info.width as i64, info.height as i64, i64::from(info.orientation)][..]);
    same!("format", case.value("format"), info.format);
    let options = tile_options(case);
    let tiling = image.tiling(&options).map_err(say)?;
    same!("grid", case.numbers::<i64>("grid")[..], grid(&tiling)[..]);
    let tiles: Vec<_> = (0..tiling.tiles as usize).map(|index| image.tile(index, &options)).collect::<Result<_, _>>().map_err(say)?;
    for tile in &tiles {
        same!("bytes", tiling.tile_bytes as usize, tile.len());
    }
    same!("checksums", case.numbers::<i64>("checksums"), tiles.iter().map(|tile| checksum(tile)).collect::<Vec<_>>());
    Ok(())
}

pub fn tiling(_: &Model, case: &Case) -> Shown {
    let size: Vec<u64> = case.numbers("size");
    let tiling = Tiling::of_size(size[0], size[1], &tile_options(case)).map_err(say)?;
    same!("grid", case.numbers::<i64>("grid")[..], grid(&tiling)[..]);
    Ok(())
}

pub fn image_tokens(model: &Model, case: &Case) -> Shown {
    let image = plain(case.value("picture"))?;
    same!("ids", case.numbers::<i32>("ids"), image.tokens(model, &tile_options(case)).map_err(say)?);
    Ok(())
}

pub fn chat_image(_: &Model, case: &Case) -> Shown {
    let model = Model::load_with("scout-tiny", &LoadOptions::new().vision(true)).map_err(say)?;
    let mut chat = model.chat().map_err(say)?;
    let mut added = chat.begin(Role::User);
    for (kind, value) in case.pairs("part") {
        added = match kind {
            _ if added.is_err() => added,
            "text" => chat.add_text(unescape(value)),
            _ => chat.add_image(&plain(value)?), // the chat keeps what it needs
        };
    }
    if case.has("status") {
        return refused(case, added);
    }
    added.map_err(say)?;
    same!("prompt_ids", case.numbers::<i32>("prompt_ids"), chat.tokens().map_err(say)?);
    Ok(())
}

pub fn error_image(model: &Model, case: &Case) -> Shown {
    match case.value("call") {
        "pixels" => {
            let count = if case.has("count") { Some(case.number("count") as usize) } else { None };
            let stride = if case.has("stride") { case.number("stride") as usize } else { 0 };
            refused(case, picture(&case.numbers("picture"), count, stride, &image_options(case)))
        }
        "bytes" => refused(case, Image::from_bytes_with(&case.text("bytes"), &image_options(case))),
        "file" => refused(case, Image::open(case.value("path"))),
        "tiling" => {
            let size: Vec<u64> = case.numbers("size");
            refused(case, Tiling::of_size(size[0], size[1], &tile_options(case)))
        }
        "tile" => refused(case, plain(case.value("picture"))?.tile(case.number("index") as usize, &TileOptions::new())),
        "closed" => Err("n/a: what is dropped cannot be named again".to_string()),
        "chat" => {
            let mut chat = model.chat().map_err(say)?;
            chat.begin(Role::User).map_err(say)?;
            refused(case, chat.add_image(&plain(case.value("picture"))?))
        }
        other => Err(format!("the call {} is not known to this runner", other)),
    }
}
