//! Clips: their frames as pictures, each with its time.
use crate::error::{check, Error, Result};
use crate::model::described;
use crate::options::{c_path, VideoOptions};
use crate::request::text_of;
use crate::Image;
use scout_sys as sys;
use std::fmt;
use std::mem::{size_of, zeroed};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

described! {
    /// What a clip is.
    VideoInfo from scout_video_info {
        /// EXIF's number by which frames are turned; 1 = they are not.
        orientation: i32,
        /// Of a frame, once turned, in pixels.
        width: u64,
        /// Of a frame, once turned, in pixels.
        height: u64,
        /// Microseconds.
        duration_us: i64,
        /// Frames a second of the clip; 0 = it does not say.
        frame_rate: f64,
        /// That are chosen; as many come, or fewer.
        frames: u64,
        /// "MP4", "QuickTime", "Matroska" or "WebM".
        container: text,
        /// "H.264", "HEVC", "VP8", "VP9", "AV1" or "MJPEG".
        codec: text,
        /// FFmpeg's name of the decoder.
        decoder: text,
        /// FFmpeg's versions and the licence that its build is under.
        library: text,
    }
}

/// A picture with its time: a part of a message ([`Chat::add_frame`](crate::Chat::add_frame)).
#[derive(Clone, Debug)]
pub struct Frame {
    /// Any picture; a [`Video`] gives its own.
    pub image: Image,
    /// When it is shown, from the clip's start on.
    pub time: Duration,
    /// Tiles of the picture in a chat, 1 to 256; 0 = 1.
    pub max_tiles: i32,
}

struct Handle(NonNull<sys::scout_video>);

// SAFETY: the library allows cancelling from any thread, and Video lets one thread at a time take frames.
unsafe impl Send for Handle {}
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the last one that knew it is here.
        unsafe { sys::scout_video_free(self.0.as_ptr()) }
    }
}

/// Ends what another thread does with a [`Video`]. Clones end the same one.
#[derive(Clone)]
pub struct VideoCanceller(Arc<Handle>);

impl VideoCanceller {
    /// Ends the call under way, soon, and those that follow, with [`Error::Cancelled`].
    pub fn cancel(&self) {
        // SAFETY: the video lives as long as this does; any thread may cancel.
        unsafe { sys::scout_video_cancel(self.0 .0.as_ptr()) };
    }
}

/// A clip, which needs no model: the frames that its options choose, in the order of their times, once. It may go to another thread, and is
/// used by one at a time; the pictures that it gave remain.
///
/// ```no_run
/// use scout::{Video, VideoOptions};
/// for frame in Video::open_with("clip.mp4", &VideoOptions::new().fps(2.0))? {
///     let frame = frame?;
///     println!("{:?} {}", frame.time, frame.image.info()?.width);
/// }
/// # Ok::<(), scout::Error>(())
/// ```
///
/// A question about it is a message with parts, to a model that was loaded with its vision tower:
///
/// ```no_run
/// use scout::{EngineOptions, LoadOptions, Model, Role, Video};
/// let model = Model::load_with("Llama-4-Scout.gguf", &LoadOptions::new().vision(true))?;
/// let mut chat = model.chat()?;
/// chat.begin(Role::User)?;
/// chat.add_video(&mut Video::open("clip.mp4")?)?;
/// chat.add_text("What happens here?")?;
/// println!("{}", model.engine(&EngineOptions::new())?.submit(&chat)?.text()?);
/// # Ok::<(), scout::Error>(())
/// ```
pub struct Video {
    handle: Arc<Handle>,
    max_tiles: i32,
    ended: bool,
}

impl fmt::Debug for Video {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Video").field(&self.info()).finish()
    }
}

impl Video {
    /// Opens an MP4, QuickTime, Matroska or WebM file, which stays open, for a frame a second. Its name does not matter.
    /// [`Error::Unsupported`] names another container or codec, and says when the library's plug-in for video is missing.
    pub fn open(path: impl AsRef<Path>) -> Result<Video> {
        Video::open_with(path, &VideoOptions::new())
    }

    /// [`Video::open`] with options.
    pub fn open_with(path: impl AsRef<Path>, options: &VideoOptions) -> Result<Video> {
        let path = c_path(path.as_ref())?;
        // SAFETY: the path lives while the call runs.
        Video::made(options, |options, video| unsafe { sys::scout_video_open(path.as_ptr(), options, video) })
    }

    /// Opens the bytes of such a file, which are copied.
    pub fn from_bytes(bytes: &[u8]) -> Result<Video> {
        Video::from_bytes_with(bytes, &VideoOptions::new())
    }

    /// [`Video::from_bytes`] with options.
    pub fn from_bytes_with(bytes: &[u8], options: &VideoOptions) -> Result<Video> {
        // SAFETY: the bytes are as many as is said.
        Video::made(options, |options, video| unsafe {
            sys::scout_video_from_bytes(bytes.as_ptr().cast(), bytes.len() as u64, options, video)
        })
    }

    fn made(
        options: &VideoOptions,
        call: impl FnOnce(*const sys::scout_video_options, *mut *mut sys::scout_video) -> i32,
    ) -> Result<Video> {
        let mut raw = ptr::null_mut();
        let mut max_tiles = 0;
        check(options.with_raw(|options| {
            // SAFETY: the options live while the call runs.
            max_tiles = unsafe { (*options).max_tiles };
            call(options, &mut raw)
        })?)?;
        let raw = NonNull::new(raw).ok_or_else(|| Error::Internal("a video is NULL".to_string()))?;
        Ok(Video { handle: Arc::new(Handle(raw)), max_tiles, ended: false })
    }

    pub(crate) fn raw(&mut self) -> *mut sys::scout_video {
        self.handle.0.as_ptr()
    }

    /// What the clip is.
    pub fn info(&self) -> Result<VideoInfo> {
        let mut raw = VideoInfo::room();
        // SAFETY: the struct says how large it is; its texts are static.
        check(unsafe { sys::scout_video_get_info(self.handle.0.as_ptr(), &mut raw) })?;
        Ok(unsafe { VideoInfo::read(&raw) })
    }

    /// The next frame; `None` at the end. After a failure every further call fails as the first did.
    pub fn next_frame(&mut self) -> Result<Option<Frame>> {
        let (mut image, mut time_us) = (ptr::null_mut(), 0);
        // SAFETY: the video lives, and nobody else takes frames of it: &mut.
        match unsafe { sys::scout_video_next(self.raw(), &mut image, &mut time_us) } {
            sys::SCOUT_DONE => return Ok(None),
            status => check(status)?,
        }
        Ok(NonNull::new(image).map(|image| Frame {
            image: Image::of(image),
            time: Duration::from_micros(time_us.max(0) as u64),
            max_tiles: self.max_tiles,
        }))
    }

    /// Something that ends, from any thread, what is done with this video.
    pub fn canceller(&self) -> VideoCanceller {
        VideoCanceller(self.handle.clone())
    }
}

/// The frames that were not taken yet; it ends behind a failure.
impl Iterator for Video {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Result<Frame>> {
        if self.ended {
            return None;
        }
        let found = self.next_frame().transpose();
        self.ended = !matches!(found, Some(Ok(_)));
        found
    }
}
