//! Llama 4 Scout in a Rust program, through libscout.
//!
//! ```
//! let model = scout::Model::load("scout-tiny")?;
//! for event in model.generate("Tell me a story about a fox.")? {
//!     print!("{}", event?);
//! }
//! # Ok::<(), scout::Error>(())
//! ```
//!
//! | | made by | threads | dropping it |
//! |---|---|---|---|
//! | [`Model`] | [`Model::load`], [`Loading::wait`] | any, at once | lets go; what was made from it keeps it alive |
//! | [`Loading`] | [`Model::load_start`] | one waits, any may ask or cancel | cancels the load |
//! | [`Engine`] | [`Model::engine`], [`Model::default_engine`] | any, at once | lets go; its requests keep it alive |
//! | [`Request`] | [`Model::generate`], [`Engine::submit`] | one at a time; a [`Canceller`] from any | cancels what still runs |
//! | [`Chat`] | [`Model::chat`] | one at a time | frees |
//! | [`Image`] | [`Image::from_pixels`], [`Image::from_bytes`], [`Image::open`] | any, at once | lets go; a chat keeps what it was given |
//! | [`Video`] | [`Video::open`], [`Video::from_bytes`] | one at a time; a [`VideoCanceller`] from any | frees; its pictures remain |
//! | [`Scores`] | [`Engine::score`], [`Engine::logits`] | one takes, any may cancel | cancels what still runs |
//!
//! Everything that can fail gives a [`Result`] with an [`Error`] that has the library's message. Nothing here panics on what a caller
//! or a file does. After a `fork`, a child that inherited a model gets [`Error::State`] from every call.
//!
//! libscout is found by `pkg-config`, or in the folder that the environment variable `SCOUT_LIB_DIR` names when this crate is built.
//! The interface as it is in C is in the crate `scout-sys`.
#![warn(missing_docs)]

mod chat;
mod engine;
mod error;
mod image;
mod log;
mod model;
mod options;
mod request;
mod video;

pub use chat::{Chat, Role};
pub use engine::{Engine, EngineStats, ScoreBlock, Scores};
pub use error::{status_name, status_text, Error, Result};
pub use image::{Alpha, Image, ImageInfo, Resize, Tiling};
pub use log::{clear_log_sink, close_log, next_log, open_log, set_log_sink, Level, LogLine};
pub use model::{device, devices, DeviceInfo, Encode, Layer, Loading, Model, ModelDevice, ModelInfo, Shape, TensorInfo, Token};
pub use options::{
    EngineOptions, ImageOptions, KvFormat, LoadOptions, Numerics, Pack, RequestOptions, ScoreOptions, TileOptions, VideoOptions,
};
pub use request::{Canceller, End, Event, Next, Request, Stop};
pub use video::{Frame, Video, VideoCanceller, VideoInfo};

use scout_sys as sys;
use std::ffi::CStr;

/// The library's version, "0.1.0" for instance.
pub fn version() -> &'static str {
    // SAFETY: static and never NULL.
    unsafe { CStr::from_ptr(sys::scout_version()) }.to_str().unwrap_or("")
}

/// One line about the library's build, for bug reports.
pub fn build_info() -> &'static str {
    // SAFETY: static and never NULL.
    unsafe { CStr::from_ptr(sys::scout_build_info()) }.to_str().unwrap_or("")
}

/// What a call writes into a buffer (its place, its capacity, and where the size that is needed goes), which is made as large as needed.
fn fill<T: Copy + Default>(guess: usize, call: impl Fn(*mut T, u64, *mut u64) -> i32) -> Result<Vec<T>> {
    let (mut capacity, mut needed) = (guess, 0);
    loop {
        let mut buffer = vec![T::default(); capacity];
        let place = if capacity == 0 { std::ptr::null_mut() } else { buffer.as_mut_ptr() };
        let status = call(place, capacity as u64, &mut needed);
        let wanted = needed as usize;
        match status {
            sys::SCOUT_OK if wanted <= capacity => {
                buffer.truncate(wanted);
                return Ok(buffer);
            }
            // Too small, or only asked.
            sys::SCOUT_OK | sys::SCOUT_ERR_LIMIT if wanted > capacity => capacity = wanted,
            status => return Err(error::error_of(status)),
        }
    }
}
