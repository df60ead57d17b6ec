//! Loading a model, asking what it is, its tokenizer, and the shortest way to an answer.
use crate::error::{check, error_of, Error, Result};
use crate::options::c_path;
use crate::request::{list, text_of, timeout, Parent};
use crate::{Chat, Engine, EngineOptions, KvFormat, LoadOptions, Request, RequestOptions};
use scout_sys as sys;
use std::mem::{size_of, zeroed};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

/// An owned copy of a struct that the library fills in.
macro_rules! described {
    ($(#[$doc:meta])* $name:ident from $raw:ident { $($(#[$member_doc:meta])* $member:ident: $kind:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        #[allow(missing_docs)]
        pub struct $name {
            $($(#[$member_doc])* pub $member: $crate::model::described!(@type $kind),)*
        }

        impl $name {
            /// # Safety
            /// The texts of `raw` live.
            unsafe fn read(raw: &sys::$raw) -> Self {
                $name { $($member: $crate::model::described!(@read $kind raw.$member),)* }
            }

            /// A struct to be filled in.
            fn room() -> sys::$raw {
                // SAFETY: zeros are a value of a C struct.
                let mut raw: sys::$raw = unsafe { zeroed() };
                raw.struct_size = size_of::<sys::$raw>() as u32;
                raw
            }
        }
    };
    (@type text) => { String };
    (@type flag) => { bool };
    (@type $type:ident) => { $type };
    (@read text $value:expr) => { text_of($value) };
    (@read flag $value:expr) => { $value != 0 };
    (@read $type:ident $value:expr) => { $value };
}
pub(crate) use described;

described! {
    /// What a model is, in the words of `scout/model.h`.
    ModelInfo from scout_model_info {
        layers: i32, architecture: text, name: text, version: text, device: text, rope_scaling: text, embedding: i64, heads: i64, kv_heads: i64,
        head_dim: i64,
        /// Ids are below this.
        vocabulary: i64,
        /// Entries of the tokenizer, 0 without one.
        tokenizer_size: i64,
        dense_hidden: i64, expert_hidden: i64, experts: i64, experts_used: i64, moe_layers: i64,
        /// Layers that attend to everything.
        global_layers: i64,
        /// Positions, 0 = none.
        attention_chunk: i64,
        /// Positions the model was made for.
        context: i64,
        rope_base: f64, norm_eps: f64, temperature_length: f64, temperature_scale: f64, qk_norm: flag, tied_head: flag, parameters: u64,
        file_bytes: u64,
        /// Resident.
        weight_bytes: u64,
        kv_bytes_per_position_global: u64, kv_bytes_per_position_local: u64,
        /// One of `scout_sys::SCOUT_KV_*`.
        kv_format: i32,
        /// Whether [`Model::chat`] works.
        has_chat: flag,
        /// What lies on which device, as [`LoadOptions::placement`](crate::LoadOptions::placement) would say it.
        placement: text,
        /// Of [`Model::devices`].
        device_count: u64,
    }
}

described! {
    /// What a tensor of the model's files is.
    TensorInfo from scout_tensor_info {
        rank: i32, name: text, format: text, shape: Shape, bytes: u64,
        /// Whether the text model needs it.
        used: flag,
    }
}

described! {
    /// A device that holds a part of a model.
    ModelDevice from scout_model_device {
        name: text, description: text,
        /// Resident there.
        weight_bytes: u64,
    }
}

/// The extents of a tensor: the first `rank` of them, the last of which is the fastest.
pub type Shape = [i64; 4];

described! {
    /// What a model can run on.
    DeviceInfo from scout_device_info {
        name: text, description: text, memory_total_bytes: u64,
        /// What is left for this process.
        memory_free_bytes: u64,
    }
}

/// The devices that a model can be loaded on here, the default one first.
pub fn devices() -> Result<Vec<DeviceInfo>> {
    let mut count = 0;
    // SAFETY: a place for a number.
    check(unsafe { sys::scout_device_count(&mut count) })?;
    (0..count as usize).map(device).collect()
}

/// One of [`devices`].
pub fn device(index: usize) -> Result<DeviceInfo> {
    let mut raw = DeviceInfo::room();
    // SAFETY: the struct says how large it is; its texts are static.
    check(unsafe { sys::scout_device_get(index as u64, &mut raw) })?;
    Ok(unsafe { DeviceInfo::read(&raw) })
}

/// What kind a layer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Experts, else dense.
    pub moe: bool,
    /// Rotated, else position-free.
    pub rope: bool,
    /// Attends inside its chunk, else to everything.
    pub chunked: bool,
}

/// How text is encoded: a sum of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encode(u32);

impl Encode {
    /// Text is text.
    pub const PLAIN: Encode = Encode(sys::SCOUT_ENCODE_PLAIN);
    /// The spellings of control tokens become control tokens: only for trusted text.
    pub const SPECIAL: Encode = Encode(sys::SCOUT_ENCODE_SPECIAL);
    /// Begin with the begin-of-text token.
    pub const BOS: Encode = Encode(sys::SCOUT_ENCODE_BOS);
}

impl std::ops::BitOr for Encode {
    type Output = Encode;
    fn bitor(self, other: Encode) -> Encode {
        Encode(self.0 | other.0)
    }
}

/// A token of the vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its bytes, which need not be UTF-8; of a control token its name.
    pub bytes: Vec<u8>,
    /// Whether it is a control token.
    pub special: bool,
}

pub(crate) struct Handle(NonNull<sys::scout_model>);

// SAFETY: the library allows a model from any thread, also from several at once.
unsafe impl Send for Handle {}
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the last one that knew it is here.
        unsafe { sys::scout_free(self.0.as_ptr()) }
    }
}

/// A loaded model. Clones share it, threads share it, and whatever is made from it keeps it alive.
#[derive(Clone)]
pub struct Model {
    handle: Arc<Handle>,
}

impl Model {
    /// Loads a model: a GGUF file, a Hugging Face folder, or the name of a model that comes with libscout.
    ///
    /// ```
    /// let model = scout::Model::load("scout-tiny")?;
    /// for event in model.generate("Hello!")? {
    ///     print!("{}", event?.text);
    /// }
    /// # Ok::<(), scout::Error>(())
    /// ```
    pub fn load(path: impl AsRef<Path>) -> Result<Model> {
        Model::load_with(path, &LoadOptions::new())
    }

    /// Loads a model with options.
    pub fn load_with(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Model> {
        let path = c_path(path.as_ref())?;
        let mut raw = ptr::null_mut();
        // SAFETY: text, options and the place for the handle live while the call runs.
        check(options.with_raw(|options| unsafe { sys::scout_load(path.as_ptr(), options, &mut raw) })?)?;
        Model::own(raw)
    }

    /// Starts loading on a thread of the library's own and returns at once.
    pub fn load_start(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Loading> {
        let path = c_path(path.as_ref())?;
        let mut raw = ptr::null_mut();
        // SAFETY: as in `load_with`.
        check(options.with_raw(|options| unsafe { sys::scout_load_start(path.as_ptr(), options, &mut raw) })?)?;
        NonNull::new(raw).map(|raw| Loading { raw }).ok_or_else(|| Error::Internal("an operation is NULL".to_string()))
    }

    fn own(raw: *mut sys::scout_model) -> Result<Model> {
        let raw = NonNull::new(raw).ok_or_else(|| Error::Internal("a model is NULL".to_string()))?;
        Ok(Model { handle: Arc::new(Handle(raw)) })
    }

    pub(crate) fn raw(&self) -> *mut sys::scout_model {
        self.handle.0.as_ptr()
    }

    pub(crate) fn parent(&self) -> Parent {
        self.handle.clone()
    }

    /// What the model is.
    pub fn info(&self) -> Result<ModelInfo> {
        let mut raw = ModelInfo::room();
        // SAFETY: the struct says how large it is; its texts live as long as the model.
        check(unsafe { sys::scout_model_get_info(self.raw(), &mut raw) })?;
        Ok(unsafe { ModelInfo::read(&raw) })
    }

    /// What kind a layer is.
    pub fn layer(&self, index: i32) -> Result<Layer> {
        let (mut moe, mut rope, mut chunked) = (0, 0, 0);
        // SAFETY: places for three numbers.
        check(unsafe { sys::scout_model_get_layer(self.raw(), index, &mut moe, &mut rope, &mut chunked) })?;
        Ok(Layer { moe: moe != 0, rope: rope != 0, chunked: chunked != 0 })
    }

    /// The devices that hold a part of the model; [`ModelInfo::placement`] says which part.
    pub fn devices(&self) -> Result<Vec<ModelDevice>> {
        (0..self.info()?.device_count)
            .map(|index| {
                let mut raw = ModelDevice::room();
                // SAFETY: as in `info`.
                check(unsafe { sys::scout_model_get_device(self.raw(), index, &mut raw) })?;
                Ok(unsafe { ModelDevice::read(&raw) })
            })
            .collect()
    }

    /// The number of tensors in the model's files.
    pub fn tensor_count(&self) -> usize {
        let mut count = 0;
        // SAFETY: the model lives; a place for a number, 0 after a failure.
        unsafe { sys::scout_model_tensor_count(self.raw(), &mut count) };
        count as usize
    }

    /// What a tensor is, in file order.
    pub fn tensor(&self, index: usize) -> Result<TensorInfo> {
        let mut raw = TensorInfo::room();
        // SAFETY: as in `info`.
        check(unsafe { sys::scout_model_get_tensor(self.raw(), index as u64, &mut raw) })?;
        Ok(unsafe { TensorInfo::read(&raw) })
    }

    /// Bytes of keys and values that one request of so many positions needs.
    pub fn kv_bytes(&self, positions: i64, format: KvFormat) -> Result<u64> {
        let mut bytes = 0;
        // SAFETY: a place for a number.
        check(unsafe { sys::scout_model_kv_bytes(self.raw(), positions, format as i32, &mut bytes) })?;
        Ok(bytes)
    }

    /// Answers a text: as a chat's only user message where the model has a chat format, else by going on from it.
    pub fn generate(&self, text: impl AsRef<[u8]>) -> Result<Request> {
        self.generate_with(text, &RequestOptions::new())
    }

    /// Answers a text, of any bytes, with options.
    pub fn generate_with(&self, text: impl AsRef<[u8]>, options: &RequestOptions) -> Result<Request> {
        self.default_engine()?.submit_text(text, options)
    }

    /// The engine that [`Model::generate`] uses: for its figures, and for chats without an engine of one's own.
    pub fn default_engine(&self) -> Result<Engine> {
        Engine::default_of(self)
    }

    /// An engine of its own over this model.
    pub fn engine(&self, options: &EngineOptions) -> Result<Engine> {
        Engine::new(self, options)
    }

    /// An empty conversation.
    pub fn chat(&self) -> Result<Chat> {
        Chat::new(self)
    }

    /// The ids of a text, of any bytes. Control tokens never come from it.
    pub fn encode(&self, text: impl AsRef<[u8]>) -> Result<Vec<i32>> {
        self.encode_with(text, Encode::PLAIN)
    }

    /// The ids of a text.
    pub fn encode_with(&self, text: impl AsRef<[u8]>, how: Encode) -> Result<Vec<i32>> {
        let text = text.as_ref();
        // SAFETY: text and buffer are as large as is said. A token is a byte or more: the first guess is enough.
        crate::fill(text.len() + 1, |ids, capacity, needed| unsafe {
            sys::scout_encode(self.raw(), text.as_ptr().cast(), text.len() as u64, how.0, ids, capacity, needed)
        })
    }

    /// The number of ids that a text has.
    pub fn count_tokens(&self, text: impl AsRef<[u8]>, how: Encode) -> Result<usize> {
        let (text, mut count) = (text.as_ref(), 0);
        // SAFETY: the text is as large as is said.
        check(unsafe { sys::scout_count_tokens(self.raw(), text.as_ptr().cast(), text.len() as u64, how.0, &mut count) })?;
        Ok(count as usize)
    }

    /// The ids that [`Model::generate_with`] makes of a prompt, those of its pictures included.
    pub fn prompt_tokens(&self, prompt: impl AsRef<[u8]>, options: &RequestOptions) -> Result<Vec<i32>> {
        let text = prompt.as_ref();
        // SAFETY: text and buffer are as large as is said.
        options.with_raw(|options| {
            crate::fill(0, |ids, capacity, needed| unsafe {
                sys::scout_prompt_tokens(self.raw(), text.as_ptr().cast(), text.len() as u64, options, ids, capacity, needed)
            })
        })
    }

    /// What ids become among which `<|image|>` ([`Model::find_token`]) stands for the options' pictures, and so which position is whose.
    pub fn expand_prompt(&self, ids: &[i32], options: &RequestOptions) -> Result<Vec<i32>> {
        // SAFETY: ids and buffer are as large as is said.
        options.with_raw(|options| {
            crate::fill(0, |expanded, capacity, needed| unsafe {
                sys::scout_prompt_expand(self.raw(), ids.as_ptr(), ids.len() as u64, options, expanded, capacity, needed)
            })
        })
    }

    /// The bytes of ids without control tokens: valid UTF-8 wherever they came from valid UTF-8 as a whole.
    pub fn decode(&self, ids: &[i32]) -> Result<Vec<u8>> {
        self.decode_flags(ids, sys::SCOUT_DECODE_PLAIN)
    }

    /// The bytes of ids, control tokens by their names.
    pub fn decode_special(&self, ids: &[i32]) -> Result<Vec<u8>> {
        self.decode_flags(ids, sys::SCOUT_DECODE_SPECIAL)
    }

    fn decode_flags(&self, ids: &[i32], flags: u32) -> Result<Vec<u8>> {
        // SAFETY: ids and buffer are as large as is said.
        crate::fill(ids.len() * 8, |text: *mut u8, capacity, needed| unsafe {
            sys::scout_decode(self.raw(), ids.as_ptr(), ids.len() as u64, flags, text.cast(), capacity, needed)
        })
    }

    /// What a token is.
    pub fn token(&self, id: i32) -> Result<Token> {
        let (mut bytes, mut size, mut special) = (ptr::null(), 0, 0);
        // SAFETY: the bytes live as long as the model, and are copied.
        check(unsafe { sys::scout_token_bytes(self.raw(), id, &mut bytes, &mut size, &mut special) })?;
        Ok(Token { bytes: unsafe { list(bytes.cast(), size as u64) }, special: special != 0 })
    }

    /// The id of a control token by its name, `<|eot|>` for instance.
    pub fn find_token(&self, name: &str) -> Result<i32> {
        let mut id = 0;
        // SAFETY: the name is as large as is said.
        check(unsafe { sys::scout_token_find(self.raw(), name.as_ptr().cast(), name.len() as u64, &mut id) })?;
        Ok(id)
    }

    /// The ids that end an answer.
    pub fn stop_tokens(&self) -> Result<Vec<i32>> {
        // SAFETY: the buffer is as large as is said.
        crate::fill(16, |ids, capacity, needed| unsafe { sys::scout_stop_tokens(self.raw(), ids, capacity, needed) })
    }
}

/// A load under way. Dropping it cancels the load.
pub struct Loading {
    raw: NonNull<sys::scout_operation>,
}

// SAFETY: progress and cancelling are allowed from any thread; waiting takes `&mut self`.
unsafe impl Send for Loading {}
unsafe impl Sync for Loading {}

impl Loading {
    /// Waits for the load to end, at most this long; `None` is "not yet".
    pub fn wait_within(&mut self, limit: Duration) -> Result<Option<Model>> {
        self.wait_ms(timeout(Some(limit)))
    }

    /// Waits for the load to end.
    pub fn wait(mut self) -> Result<Model> {
        self.wait_ms(sys::SCOUT_WAIT)?.ok_or_else(|| Error::Internal("a load did not end".to_string()))
    }

    fn wait_ms(&mut self, limit: i64) -> Result<Option<Model>> {
        let mut raw = ptr::null_mut();
        // SAFETY: the operation lives; one waits.
        match unsafe { sys::scout_operation_wait(self.raw.as_ptr(), limit, &mut raw) } {
            sys::SCOUT_OK => Model::own(raw).map(Some),
            sys::SCOUT_AGAIN => Ok(None),
            status => Err(error_of(status)),
        }
    }

    /// A descriptor for `poll` that is readable once [`Loading::wait_within`] has an answer; only to be polled, and not after the load.
    pub fn descriptor(&self) -> Option<i32> {
        // SAFETY: the operation lives.
        Some(unsafe { sys::scout_operation_descriptor(self.raw.as_ptr()) }).filter(|&descriptor| descriptor >= 0)
    }

    /// Bytes of weights done, and in all (0 while the headers are read).
    pub fn progress(&self) -> Result<(u64, u64)> {
        let (mut done, mut total) = (0, 0);
        // SAFETY: places for two numbers.
        check(unsafe { sys::scout_operation_progress(self.raw.as_ptr(), &mut done, &mut total) })?;
        Ok((done, total))
    }

    /// Asks the load to end; waiting then answers [`Error::Cancelled`], or gives the model when it was faster.
    pub fn cancel(&self) -> Result<()> {
        // SAFETY: allowed from any thread while the operation lives.
        check(unsafe { sys::scout_operation_cancel(self.raw.as_ptr()) })
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        // SAFETY: nobody else knows it.
        unsafe { sys::scout_operation_free(self.raw.as_ptr()) }
    }
}
