//! How a model is loaded, an engine works, an answer is made and text is scored. Each begins with the defaults.
use crate::error::{Error, Result};
use crate::image::{Alpha, Image, Resize};
use scout_sys as sys;
use std::ffi::{CString, OsString};
use std::mem::{size_of, zeroed};
use std::path::{Path, PathBuf};
use std::ptr;

/// Arithmetic: whether an answer may depend on what shares its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Numerics {
    /// `Invariant`.
    Default = sys::SCOUT_NUMERICS_DEFAULT,
    /// Same request, same bytes: whatever the batch, the prompt's cuts and the threads.
    Invariant = sys::SCOUT_NUMERICS_INVARIANT,
    /// A library may choose its blocking by the number of rows.
    Fast = sys::SCOUT_NUMERICS_FAST,
    /// Device "ref" only: activations are never quantised.
    Float32 = sys::SCOUT_NUMERICS_FLOAT32,
}

/// How keys and values are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum KvFormat {
    /// As the model was loaded; at loading, the library's choice.
    Default = sys::SCOUT_KV_DEFAULT,
    /// 16 bits, IEEE.
    F16 = sys::SCOUT_KV_F16,
    /// 16 bits, bfloat16.
    Bf16 = sys::SCOUT_KV_BF16,
    /// 32 bits.
    F32 = sys::SCOUT_KV_F32,
    /// Bytes with a scale for each 32: 53 % of `F16`'s memory.
    Q8 = sys::SCOUT_KV_Q8_0,
}

/// What a load does with a packed side-file, with which a GGUF file loads in milliseconds, shared by processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Pack {
    /// There is none.
    None = sys::SCOUT_PACK_NONE,
    /// It is used, and must fit the file and the machine.
    Use = sys::SCOUT_PACK_USE,
    /// It is used after all of it was compared with its hashes.
    Check = sys::SCOUT_PACK_CHECK,
    /// The model is loaded from the file, and the side-file written.
    Write = sys::SCOUT_PACK_WRITE,
}

/// A builder over an options struct: `raw` holds the plain members, its pointers stay NULL until a call is made.
macro_rules! options {
    ($(#[$doc:meta])* $name:ident, $raw:ident, $init:ident { $($extra:ident: $extra_type:ty,)* }
     $($(#[$member_doc:meta])* $member:ident: $type:ty $(=> $convert:expr)?,)*) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        #[must_use]
        pub struct $name {
            raw: sys::$raw,
            $($extra: $extra_type,)*
        }

        // SAFETY: the pointers in `raw` are NULL.
        unsafe impl Send for $name {}
        unsafe impl Sync for $name {}

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl $name {
            /// The defaults.
            pub fn new() -> Self {
                // SAFETY: zeros are a value of a C struct; init writes what it knows. Should it fail, struct_size stays 0 and the
                // call that gets these options says so.
                let raw = unsafe {
                    let mut raw: sys::$raw = zeroed();
                    sys::$init(&mut raw, size_of::<sys::$raw>() as u64);
                    raw
                };
                $name { raw, $($extra: Default::default(),)* }
            }

            $($(#[$member_doc])*
            pub fn $member(mut self, $member: $type) -> Self {
                self.raw.$member = options!(@convert $member $($convert)?);
                self
            })*
        }
    };
    (@convert $value:ident) => { $value };
    (@convert $value:ident $convert:expr) => { $convert($value) };
}

options! {
    /// How a model is loaded.
    ///
    /// ```
    /// let options = scout::LoadOptions::new().threads(2).device("cpu");
    /// let model = scout::Model::load_with("scout-tiny", &options)?;
    /// # Ok::<(), scout::Error>(())
    /// ```
    LoadOptions, scout_load_options, scout_load_options_init { device: Option<String>, plugin_dir: Option<PathBuf>, pack_path: Option<PathBuf>, placement: Option<String>, }
    /// Arithmetic.
    numerics: Numerics => |v| v as i32,
    /// Compute threads; 0 = as many as the process may use.
    threads: i32,
    /// How keys and values are kept, for engines that do not say.
    kv_format: KvFormat => |v| v as i32,
    /// Positions that one request may use, for engines that do not say; 0 = as many as `kv_bytes` holds.
    context: i64,
    /// Bytes of keys and values of an engine that does not say; 0 = a quarter of the memory left, at most 4 GiB.
    kv_bytes: u64,
    /// Refuse to load what needs more than this; 0 = what the machine has left.
    memory_limit_bytes: u64,
    /// Map the file instead of reading it. When another program truncates a mapped file, the operating system ends this process.
    map_file: bool => i32::from,
    /// Do not look for NaN and infinity among scales and norms while loading.
    skip_weight_check: bool => i32::from,
    /// Load the vision tower too, where the checkpoint has one or one `mmproj*.gguf` lies beside it, so that chats can hold pictures.
    vision: bool => i32::from,
    /// Whether a packed side-file is used or written. When another program truncates it, the operating system ends this process.
    pack: Pack => |v| v as i32,
}

impl LoadOptions {
    /// What the model runs on: "cpu", "ref", or several: "cuda:0,cuda:1"; see [`devices`](crate::devices).
    pub fn device(mut self, name: impl Into<String>) -> Self {
        self.device = Some(name.into());
        self
    }

    /// Where plug-ins are looked for.
    pub fn plugin_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.plugin_dir = Some(folder.into());
        self
    }

    /// What lies on which device: "experts=cpu", "layers 0-23=cuda:0; layers 24-47=cuda:1". The grammar is in `scout/model.h`.
    pub fn placement(mut self, items: impl Into<String>) -> Self {
        self.placement = Some(items.into());
        self
    }

    /// The packed side-file; the path of the GGUF file with ".pack" behind it otherwise.
    pub fn pack_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.pack_path = Some(path.into());
        self
    }

    pub(crate) fn with_raw<R>(&self, call: impl FnOnce(*const sys::scout_load_options) -> R) -> Result<R> {
        let device = self.device.as_deref().map(|name| c_string(name, "device")).transpose()?;
        let plugin_dir = self.plugin_dir.as_deref().map(c_path).transpose()?;
        let pack_path = self.pack_path.as_deref().map(c_path).transpose()?;
        let placement = self.placement.as_deref().map(|items| c_string(items, "placement")).transpose()?;
        let mut raw = self.raw;
        raw.placement = placement.as_ref().map_or(ptr::null(), |text| text.as_ptr());
        raw.pack_path = pack_path.as_ref().map_or(ptr::null(), |text| text.as_ptr());
        raw.device = device.as_ref().map_or(ptr::null(), |text| text.as_ptr());
        raw.plugin_dir = plugin_dir.as_ref().map_or(ptr::null(), |text| text.as_ptr());
        Ok(call(&raw))
    }
}

options! {
    /// How an engine works.
    EngineOptions, scout_engine_options, scout_engine_options_init { }
    /// How keys and values are kept.
    kv_format: KvFormat => |v| v as i32,
    /// Most tokens of a step; 0 = 512.
    step_rows: i32,
    /// Memory for keys and values; 0 = as the model was loaded.
    kv_bytes: u64,
    /// Positions that one request may use; 0 = as the model was loaded.
    context: i64,
    /// Most tokens of a step while answers stream, which bounds how long a long prompt holds them up; 0 = 128.
    decode_step_rows: i32,
    /// Requests in the waiting list before submitting answers [`Error::Again`]; 0 = 1024.
    max_waiting: i32,
    /// Requests that share a step; 0 = 64.
    max_running: i32,
    /// Requests of engines with different salts never share pages.
    cache_salt: u64,
    /// Most memory for what was computed of pictures that later requests may ask about again; 0 = 268435456. Not with
    /// [`EngineOptions::picture_cache`] `(false)`.
    picture_cache_bytes: u64,
}

impl EngineOptions {
    /// No thread is made and no call waits: [`Engine::step`](crate::Engine::step) does the work.
    pub fn stepped(mut self) -> Self {
        self.raw.mode = sys::SCOUT_ENGINE_STEPPED;
        self
    }

    /// Whether pages of finished prompts are kept for later ones; they are by default.
    pub fn prefix_cache(mut self, keep: bool) -> Self {
        self.raw.no_prefix_cache = i32::from(!keep);
        self
    }

    /// Whether what was computed of a picture is kept for later requests; it is by default.
    pub fn picture_cache(mut self, keep: bool) -> Self {
        self.raw.no_picture_cache = i32::from(!keep);
        self
    }

    pub(crate) fn raw(&self) -> *const sys::scout_engine_options {
        &self.raw
    }
}

options! {
    /// What an answer is to be like. Greedy by default: the same question gets the same answer.
    ///
    /// ```
    /// # let model = scout::Model::load("scout-tiny")?;
    /// let options = scout::RequestOptions::new().temperature(0.8).seed(7).max_tokens(40).stop("\n");
    /// let answer = model.generate_with("Tell me a story about a fox.", &options)?.text()?;
    /// # assert!(!answer.contains('\n'));
    /// # Ok::<(), scout::Error>(())
    /// ```
    RequestOptions, scout_request_options, scout_request_options_init {
        bias_ids: Vec<i32>, bias_values: Vec<f32>, stops: Vec<Vec<u8>>, stop_ids: Vec<i32>, images: Vec<Image>,
    }
    /// 0 = always the most likely token.
    temperature: f32,
    /// Sample among the k most likely; 0 = all.
    top_k: i32,
    /// Leave out tokens whose more likely ones already hold this mass; 1 = off.
    top_p: f32,
    /// Leave out tokens less likely than this times the most likely; 0 = off.
    min_p: f32,
    /// Over prompt and answer; 1 = off.
    repetition_penalty: f32,
    /// Subtracted from a logit for each time the token is in the answer; 0 = off.
    frequency_penalty: f32,
    /// Subtracted from a logit when the token is in the answer; 0 = off.
    presence_penalty: f32,
    /// Same seed, same request: same answer, whatever else runs.
    seed: u64,
    /// 0 = as many as the context holds.
    max_tokens: i64,
    /// Repeated in each event: whose it is.
    tag: u64,
    /// Log-probabilities of the generated tokens.
    logprobs: bool => i32::from,
    /// 0 to 20: the most likely tokens of each position, with theirs.
    top_logprobs: i32,
    /// Go on past the model's own stop tokens.
    ignore_end: bool => i32::from,
    /// Control tokens are written into the text.
    include_special: bool => i32::from,
    /// The prompt is continued as it stands instead of answered as a chat's question.
    raw: bool => i32::from,
}

impl RequestOptions {
    /// Adds to the logit of a token; `f32::NEG_INFINITY` forbids it.
    pub fn bias(mut self, id: i32, value: f32) -> Self {
        self.bias_ids.push(id);
        self.bias_values.push(value);
        self
    }

    /// Ends the answer before this text; may be given several times.
    pub fn stop(mut self, text: impl AsRef<[u8]>) -> Self {
        self.stops.push(text.as_ref().to_vec());
        self
    }

    /// Ends the answer at this token, beside the model's own; may be given several times.
    pub fn stop_token(mut self, id: i32) -> Self {
        self.stop_ids.push(id);
        self
    }

    /// A picture of a text or of ids; may be given several times. A question comes behind them; in what is continued as it stands
    /// (`raw`, ids) each `<|image|>` becomes the next of them. A [`Chat`](crate::Chat) holds its own.
    pub fn image(mut self, image: &Image) -> Self {
        self.images.push(image.clone());
        self
    }

    /// The call copies what the pointers lead to.
    pub(crate) fn with_raw<R>(&self, call: impl FnOnce(*const sys::scout_request_options) -> R) -> R {
        let images: Vec<_> = self.images.iter().map(Image::raw).collect();
        let stops: Vec<_> = self.stops.iter().map(|text| text.as_ptr().cast()).collect();
        let sizes: Vec<_> = self.stops.iter().map(|text| text.len() as u64).collect();
        let mut raw = self.raw;
        raw.bias_ids = self.bias_ids.as_ptr();
        raw.bias_values = self.bias_values.as_ptr();
        raw.bias_count = self.bias_ids.len() as u64;
        raw.stop = stops.as_ptr();
        raw.stop_sizes = sizes.as_ptr();
        raw.stop_count = stops.len() as u64;
        raw.stop_tokens = self.stop_ids.as_ptr();
        raw.stop_token_count = self.stop_ids.len() as u64;
        raw.images = images.as_ptr();
        raw.image_count = images.len() as u64;
        call(&raw)
    }
}

options! {
    /// How a picture is read.
    ImageOptions, scout_image_options, scout_image_options_init { plugin_dir: Option<PathBuf>, }
    /// What becomes of pixels that are not opaque; [`Alpha::Drop`] unless said otherwise.
    alpha: Alpha => |v| v as i32,
    /// 0 = turn as the file's EXIF says; 1 = leave it as it is stored; 2 to 8 = turn it as EXIF means by that number.
    orientation: i32,
    /// Refuse a picture with more, before it is decoded; 0 = 134217728.
    max_pixels: u64,
    /// Refuse a file with more; 0 = 268435456.
    max_bytes: u64,
}

impl ImageOptions {
    /// Where the plug-in that reads files is looked for.
    pub fn plugin_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.plugin_dir = Some(folder.into());
        self
    }

    pub(crate) fn with_raw<R>(&self, call: impl FnOnce(*const sys::scout_image_options) -> R) -> Result<R> {
        let plugin_dir = self.plugin_dir.as_deref().map(c_path).transpose()?;
        let mut raw = self.raw;
        raw.plugin_dir = plugin_dir.as_ref().map_or(ptr::null(), |text| text.as_ptr());
        Ok(call(&raw))
    }
}

options! {
    /// Which frames are taken of a clip, and what it may cost: a frame a second, unless said otherwise.
    VideoOptions, scout_video_options, scout_video_options_init { plugin_dir: Option<PathBuf>, }
    /// Frames in all, evenly from the beginning on; 0 = by `fps`.
    count: i32,
    /// Frames a second, up to 1000, not with `count`; 0 = 1. A frame that is chosen twice is taken once.
    fps: f64,
    /// Of these, only frames that differ from the last taken by at least so many percent of the most they could; 0 = all. A cut is often 10
    /// and more.
    scene_change: f64,
    /// Where the part to take begins, microseconds from the clip's start.
    start_us: i64,
    /// Where it ends; 0 = with the clip.
    end_us: i64,
    /// Of a frame in a chat, 1 to 256; 0 = 1.
    max_tiles: i32,
    /// 0 = turn as the clip says; 1 = leave it as it is stored; 2 to 8 = turn it as EXIF means by that number.
    orientation: i32,
    /// Of the decoder; 0 = as many as the process may use, at most 8; they change no pixel.
    threads: i32,
    /// Refuse a choice of more; 0 = 256.
    max_frames: i32,
    /// Refuse a longer clip; 0 = four hours.
    max_duration_us: i64,
    /// Refuse a larger clip; 0 = 4294967296.
    max_bytes: u64,
    /// Refuse a clip with larger frames, before one is decoded; 0 = 35389440.
    max_pixels: u64,
    /// Pixels decoded in all, those of frames that are not taken included; 0 = 274877906944.
    max_work: u64,
}

impl VideoOptions {
    /// Where the plug-in that reads clips is looked for.
    pub fn plugin_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.plugin_dir = Some(folder.into());
        self
    }

    pub(crate) fn with_raw<R>(&self, call: impl FnOnce(*const sys::scout_video_options) -> R) -> Result<R> {
        let plugin_dir = self.plugin_dir.as_deref().map(c_path).transpose()?;
        let mut raw = self.raw;
        raw.plugin_dir = plugin_dir.as_ref().map_or(ptr::null(), |text| text.as_ptr());
        Ok(call(&raw))
    }
}

options! {
    /// How a picture is cut into tiles: as the released Llama 4 models take it, unless said otherwise. A model's own are
    /// [`Model::tile_options`](crate::Model::tile_options).
    TileOptions, scout_tile_options, scout_tile_options_init { }
    /// Pixels, 1 to 4096; 0 = 336.
    tile_side: i32,
    /// Of a grid, 1 to 256; 0 = 16; 1 = always one tile.
    max_tiles: i32,
    /// Tokens that a tile becomes, 1 to 65536; 0 = 144.
    patch_tokens: i32,
    /// By whose rule; [`Resize::Torchvision`] unless said otherwise.
    resize: Resize => |v| v as i32,
    /// 0 = as many as the process may use; they change no pixel.
    threads: i32,
}

impl TileOptions {
    pub(crate) fn from_raw(raw: sys::scout_tile_options) -> Self {
        TileOptions { raw }
    }

    pub(crate) fn raw(&self) -> *const sys::scout_tile_options {
        &self.raw
    }
}

options! {
    /// What is scored: log-probabilities, unless logits are asked for.
    ScoreOptions, scout_score_options, scout_score_options_init { positions: Vec<i64>, images: Vec<Image>, }
    /// Whole rows of logits, of all positions unless some are named.
    logits: bool => i32::from,
}

impl ScoreOptions {
    /// Ascending: rows whose logits are wanted, of what [`Model::expand_prompt`](crate::Model::expand_prompt) gives.
    pub fn positions(mut self, positions: &[i64]) -> Self {
        self.positions.extend(positions);
        self
    }

    /// A picture: each `<|image|>` among the ids becomes the tokens of the next one; may be given several times.
    pub fn image(mut self, image: &Image) -> Self {
        self.images.push(image.clone());
        self
    }

    /// The call copies what the pointers lead to.
    pub(crate) fn with_raw<R>(&self, call: impl FnOnce(*const sys::scout_score_options) -> R) -> R {
        let images: Vec<_> = self.images.iter().map(Image::raw).collect();
        let mut raw = self.raw;
        raw.positions = self.positions.as_ptr();
        raw.position_count = self.positions.len() as u64;
        raw.images = images.as_ptr();
        raw.image_count = images.len() as u64;
        call(&raw)
    }
}

/// A text for a parameter that ends at its NUL: one inside would cut it.
pub(crate) fn c_string(text: &str, name: &str) -> Result<CString> {
    CString::new(text).map_err(|found| Error::Argument(format!("{} has a NUL at byte {}", name, found.nul_position())))
}

pub(crate) fn c_path(path: &Path) -> Result<CString> {
    CString::new(path_bytes(path.into())?).map_err(|found| Error::Argument(format!("the path has a NUL at byte {}", found.nul_position())))
}

#[cfg(unix)]
fn path_bytes(path: OsString) -> Result<Vec<u8>> {
    Ok(std::os::unix::ffi::OsStringExt::into_vec(path))
}

#[cfg(not(unix))]
fn path_bytes(path: OsString) -> Result<Vec<u8>> {
    path.into_string().map(String::into_bytes).map_err(|path| Error::Argument(format!("the path {:?} is not Unicode", path)))
}
