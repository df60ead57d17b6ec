//! Pictures: for questions about them, and for looking at what a vision model takes of them.
use crate::error::{check, Error, Result};
use crate::model::described;
use crate::options::{c_path, ImageOptions, TileOptions};
use crate::request::text_of;
use crate::Model;
use scout_sys as sys;
use std::fmt;
use std::mem::{size_of, zeroed};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// What becomes of pixels that are not opaque.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Alpha {
    /// The colour as it is stored, as Hugging Face does; where nothing shows that is often black.
    Drop = sys::SCOUT_ALPHA_DROP,
    /// Over white, as Meta's code does and as most people see such a picture.
    White = sys::SCOUT_ALPHA_WHITE,
}

/// By whose rule pictures are resized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Resize {
    /// Weights of 16 bits, as Hugging Face.
    Torchvision = sys::SCOUT_RESIZE_TORCHVISION,
    /// Weights of 22 bits, as PIL before version 13 and so Meta's code; a level apart in a few pixels.
    Pil = sys::SCOUT_RESIZE_PIL,
}

described! {
    /// What a picture is.
    ImageInfo from scout_image_info {
        /// Pixels, once turned.
        width: u64,
        /// Pixels, once turned.
        height: u64,
        /// EXIF's number by which it was turned; 1 = it was not.
        orientation: i32,
        /// "PNG", "JPEG", "WebP", "video" for a frame, or "pixels".
        format: text,
    }
}

described! {
    /// What a picture becomes.
    Tiling from scout_tiling {
        /// Of the grid.
        rows: i32,
        /// Of the grid.
        columns: i32,
        /// `rows * columns`, and one more for the whole picture where that is more than one.
        tiles: i32,
        /// Pixels.
        tile_side: i32,
        /// Pixels of the canvas that the picture covers; the rest is black.
        drawn_width: i32,
        /// The same, down.
        drawn_height: i32,
        /// In a prompt, with the control tokens around and between the tiles.
        tokens: u64,
        /// Of one tile as [`Image::tile`] gives it.
        tile_bytes: u64,
    }
}

impl Tiling {
    /// What a picture of a size, once turned, becomes, without its pixels.
    ///
    /// ```
    /// let tiling = scout::Tiling::of_size(1000, 600, &scout::TileOptions::new())?;
    /// assert_eq!((tiling.rows, tiling.columns, tiling.tiles), (2, 3, 7));
    /// # Ok::<(), scout::Error>(())
    /// ```
    pub fn of_size(width: u64, height: u64, options: &TileOptions) -> Result<Tiling> {
        let mut raw = Tiling::room();
        // SAFETY: the struct says how large it is.
        check(unsafe { sys::scout_tiling_of_size(width, height, options.raw(), &mut raw) })?;
        Ok(unsafe { Tiling::read(&raw) })
    }
}

struct Handle(NonNull<sys::scout_image>);

// SAFETY: the library allows a picture from any thread, also from several at once.
unsafe impl Send for Handle {}
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the last one that knew it is here.
        unsafe { sys::scout_image_free(self.0.as_ptr()) }
    }
}

/// A picture, which needs no model. Clones and threads share it.
///
/// ```
/// use scout::{Image, TileOptions};
/// let grey: Vec<u8> = (0..=255).collect();
/// let image = Image::from_pixels(&grey, 16, 16, 1)?;
/// assert_eq!(image.info()?.width, 16);
/// assert_eq!(image.tiling(&TileOptions::new())?.tiles, 1);
/// # Ok::<(), scout::Error>(())
/// ```
///
/// A question about it is a message with parts, to a model that was loaded with its vision tower:
///
/// ```no_run
/// use scout::{EngineOptions, Image, LoadOptions, Model, Role};
/// let model = Model::load_with("Llama-4-Scout.gguf", &LoadOptions::new().vision(true))?;
/// let mut chat = model.chat()?;
/// chat.begin(Role::User)?;
/// chat.add_image(&Image::open("photo.jpg")?)?;
/// chat.add_text("What is this?")?;
/// println!("{}", model.engine(&EngineOptions::new())?.submit(&chat)?.text()?);
/// # Ok::<(), scout::Error>(())
/// ```
#[derive(Clone)]
pub struct Image {
    handle: Arc<Handle>,
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Image").field(&self.info()).finish()
    }
}

impl Image {
    /// Makes a picture of pixels, which are copied: rows of samples of 8 bits, channel by channel. 1 channel is grey, 2 are grey and alpha,
    /// 3 are RGB, 4 are RGBA.
    pub fn from_pixels(pixels: &[u8], width: usize, height: usize, channels: i32) -> Result<Image> {
        Image::from_pixels_with(pixels, width, height, 0, channels, &ImageOptions::new())
    }

    /// [`Image::from_pixels`] for rows that begin `stride` bytes after each other (0 = `width * channels`), with options.
    pub fn from_pixels_with(
        pixels: &[u8],
        width: usize,
        height: usize,
        stride: usize,
        channels: i32,
        options: &ImageOptions,
    ) -> Result<Image> {
        let (data, size) = (pixels.as_ptr().cast(), pixels.len() as u64);
        // SAFETY: the pixels are as many as is said, and are copied.
        Image::made(options, |options, image| unsafe {
            sys::scout_image_from_pixels(data, size, width as u64, height as u64, stride as u64, channels, options, image)
        })
    }

    /// Makes a picture of the bytes of a PNG, JPEG or WebP file, which are not needed afterwards.
    pub fn from_bytes(bytes: &[u8]) -> Result<Image> {
        Image::from_bytes_with(bytes, &ImageOptions::new())
    }

    /// [`Image::from_bytes`] with options.
    pub fn from_bytes_with(bytes: &[u8], options: &ImageOptions) -> Result<Image> {
        // SAFETY: the bytes are as many as is said.
        Image::made(options, |options, image| unsafe {
            sys::scout_image_from_bytes(bytes.as_ptr().cast(), bytes.len() as u64, options, image)
        })
    }

    /// Makes a picture of a PNG, JPEG or WebP file. Its name does not matter.
    pub fn open(path: impl AsRef<Path>) -> Result<Image> {
        Image::open_with(path, &ImageOptions::new())
    }

    /// [`Image::open`] with options.
    pub fn open_with(path: impl AsRef<Path>, options: &ImageOptions) -> Result<Image> {
        let path = c_path(path.as_ref())?;
        // SAFETY: the path lives while the call runs.
        Image::made(options, |options, image| unsafe { sys::scout_image_from_file(path.as_ptr(), options, image) })
    }

    fn made(
        options: &ImageOptions,
        call: impl FnOnce(*const sys::scout_image_options, *mut *mut sys::scout_image) -> i32,
    ) -> Result<Image> {
        let mut raw = ptr::null_mut();
        check(options.with_raw(|options| call(options, &mut raw))?)?;
        let raw = NonNull::new(raw).ok_or_else(|| Error::Internal("an image is NULL".to_string()))?;
        Ok(Image::of(raw))
    }

    /// Of a handle that is ours to free.
    pub(crate) fn of(raw: NonNull<sys::scout_image>) -> Image {
        Image { handle: Arc::new(Handle(raw)) }
    }

    pub(crate) fn raw(&self) -> *const sys::scout_image {
        self.handle.0.as_ptr()
    }

    /// What the picture is.
    pub fn info(&self) -> Result<ImageInfo> {
        let mut raw = ImageInfo::room();
        // SAFETY: the struct says how large it is; its text is static.
        check(unsafe { sys::scout_image_get_info(self.raw(), &mut raw) })?;
        Ok(unsafe { ImageInfo::read(&raw) })
    }

    /// What the picture becomes. Nothing is computed of its pixels.
    pub fn tiling(&self, options: &TileOptions) -> Result<Tiling> {
        let mut raw = Tiling::room();
        // SAFETY: the struct says how large it is.
        check(unsafe { sys::scout_image_get_tiling(self.raw(), options.raw(), &mut raw) })?;
        Ok(unsafe { Tiling::read(&raw) })
    }

    /// What a model sees of a tile: `tile_side` rows of `tile_side` pixels of red, green and blue. The grid's tiles come row by row, the
    /// whole picture last. All tiles are made by the first call and kept until other options ask for others.
    pub fn tile(&self, index: usize, options: &TileOptions) -> Result<Vec<u8>> {
        let room = self.tiling(options)?.tile_bytes as usize;
        // SAFETY: the buffer is as large as is said.
        crate::fill(room, |pixels: *mut u8, capacity, needed| unsafe {
            sys::scout_image_tile(self.raw(), options.raw(), index as u64, pixels.cast(), capacity, needed)
        })
    }

    /// The ids that stand for the picture in a prompt of a model.
    pub fn tokens(&self, model: &Model, options: &TileOptions) -> Result<Vec<i32>> {
        // SAFETY: both live; the buffer is as large as is said.
        crate::fill(0, |ids, capacity, needed| unsafe {
            sys::scout_image_tokens(self.raw(), model.raw(), options.raw(), ids, capacity, needed)
        })
    }
}

impl Model {
    /// How a model that was loaded with its vision tower wants its tiles; [`Error::State`] for one without.
    pub fn tile_options(&self) -> Result<TileOptions> {
        // SAFETY: zeros are a value of a C struct.
        let mut raw: sys::scout_tile_options = unsafe { zeroed() };
        raw.struct_size = size_of::<sys::scout_tile_options>() as u32;
        // SAFETY: the struct says how large it is.
        check(unsafe { sys::scout_model_get_tile_options(self.raw(), &mut raw) })?;
        Ok(TileOptions::from_raw(raw))
    }
}
