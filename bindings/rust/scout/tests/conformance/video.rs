//! Behaviours of clips.
use crate::image::{checksum, tile_options};
use crate::list::Case;
use crate::{near, refused, say, Shown};
use scout::{Error, Frame, Model, Role, Video, VideoOptions};
use std::time::Duration;

fn video_options(case: &Case) -> VideoOptions {
    case.pairs("video_option").fold(VideoOptions::new(), |options, (name, value)| match name {
        "count" => options.count(value.parse().unwrap()),
        "fps" => options.fps(value.parse().unwrap()),
        "scene_change" => options.scene_change(value.parse().unwrap()),
        "start_us" => options.start_us(value.parse().unwrap()),
        "end_us" => options.end_us(value.parse().unwrap()),
        "orientation" => options.orientation(value.parse().unwrap()),
        "max_frames" => options.max_frames(value.parse().unwrap()),
        "max_bytes" => options.max_bytes(value.parse().unwrap()),
        "max_work" => options.max_work(value.parse().unwrap()),
        _ => panic!("the option {} is not known to this runner", name),
    })
}

/// The case's clip. Nothing can be shown of it where the library has no plug-in for video.
fn opened(case: &Case) -> Result<scout::Result<Video>, String> {
    match Video::from_bytes_with(&case.text("clip"), &video_options(case)) {
        Err(Error::Unsupported(why)) if why.contains("plug-in") => Err(format!("n/a: {}", why)),
        opened => Ok(opened),
    }
}

pub fn video(_: &Model, case: &Case) -> Shown {
    let mut video = opened(case)?.map_err(say)?;
    let info = video.info().map_err(say)?;
    let told = [info.width as i64, info.height as i64, i64::from(info.orientation), info.duration_us, info.frames as i64];
    same!("info", case.numbers::<i64>("info")[..], told[..]);
    near("frame_rate", case.value("frame_rate").parse().unwrap(), info.frame_rate as f32, 1e-6)?;
    same!("container", case.value("container"), info.container);
    same!("codec", case.value("codec"), info.codec);
    let frames: Vec<Frame> = video.by_ref().collect::<Result<_, _>>().map_err(say)?;
    if video.next_frame().map_err(say)?.is_some() || video.next().is_some() {
        return Err("the end does not stay".to_string());
    }
    let times: Vec<Duration> = case.numbers::<u64>("times").into_iter().map(Duration::from_micros).collect();
    same!("times", times, frames.iter().map(|frame| frame.time).collect::<Vec<_>>());
    let mut sums = Vec::new();
    for frame in &frames {
        same!("format", frame.image.info().map_err(say)?.format, "video");
        sums.push(checksum(&frame.image.tile(0, &tile_options(case)).map_err(say)?));
    }
    same!("checksums", case.numbers::<i64>("checksums"), sums);
    Ok(())
}

pub fn error_video(model: &Model, case: &Case) -> Shown {
    let call = case.value("call");
    match call {
        "file" => return refused(case, Video::open_with(case.value("path"), &video_options(case))),
        "bytes" => return refused(case, opened(case)?),
        "closed" => return Err("n/a: what is dropped cannot be named again".to_string()),
        _ => {}
    }
    let mut video = opened(case)?.map_err(say)?;
    let mut chat = model.chat().map_err(say)?;
    match call {
        "next" => refused(case, video.collect::<Result<Vec<_>, _>>()),
        "cancelled" => {
            video.canceller().cancel();
            refused(case, video.next_frame())
        }
        "chat" => {
            chat.begin(Role::User).map_err(say)?;
            refused(case, chat.add_video(&mut video))
        }
        "chat_frame" => {
            chat.begin(Role::User).map_err(say)?;
            let frame = video.next().ok_or("no frame came")?.map_err(say)?;
            refused(case, chat.add_frame(&frame))
        }
        other => Err(format!("the call {} is not known to this runner", other)),
    }
}
