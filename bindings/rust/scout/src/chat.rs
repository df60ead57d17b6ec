//! A conversation.
use crate::error::{check, Error, Result};
use crate::request::Parent;
use crate::{Frame, Image, Model, Request, Video};
use scout_sys as sys;
use std::ptr::{self, NonNull};

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Role {
    /// The conversation's first message, or none.
    System = sys::SCOUT_ROLE_SYSTEM,
    /// The one who asks.
    User = sys::SCOUT_ROLE_USER,
    /// The model.
    Assistant = sys::SCOUT_ROLE_ASSISTANT,
    /// A tool's result.
    Tool = sys::SCOUT_ROLE_TOOL,
}

/// A conversation in Llama 4's chat format. Text given here never becomes control tokens. It may go to another thread, and is used by
/// one at a time.
///
/// ```
/// let model = scout::Model::load("scout-tiny")?;
/// let engine = model.engine(&scout::EngineOptions::new())?;
/// let mut chat = model.chat()?;
/// for question in ["What is 7 plus 5?", "And 20 minus 8?"] {
///     chat.user(question)?;
///     let mut request = engine.submit(&chat)?;
///     for event in &mut request {
///         print!("{}", event?);
///     }
///     chat.add_answer(&request)?; // exactly the tokens that were generated
/// }
/// assert_eq!(chat.len(), 4);
/// # Ok::<(), scout::Error>(())
/// ```
pub struct Chat {
    raw: NonNull<sys::scout_chat>,
    _model: Parent,
}

// SAFETY: any thread may use it, one at a time; it is not Sync.
unsafe impl Send for Chat {}

impl Chat {
    pub(crate) fn new(model: &Model) -> Result<Chat> {
        let mut raw = ptr::null_mut();
        // SAFETY: the model lives.
        check(unsafe { sys::scout_chat_new(model.raw(), &mut raw) })?;
        let raw = NonNull::new(raw).ok_or_else(|| Error::Internal("a chat is NULL".to_string()))?;
        Ok(Chat { raw, _model: model.parent() })
    }

    pub(crate) fn raw(&self) -> *const sys::scout_chat {
        self.raw.as_ptr()
    }

    /// Adds a message of any bytes.
    pub fn add(&mut self, role: Role, text: impl AsRef<[u8]>) -> Result<()> {
        let text = text.as_ref();
        // SAFETY: the text is as large as is said.
        check(unsafe { sys::scout_chat_add(self.raw.as_ptr(), role as i32, text.as_ptr().cast(), text.len() as u64) })
    }

    /// Adds what the user says.
    pub fn user(&mut self, text: impl AsRef<[u8]>) -> Result<()> {
        self.add(Role::User, text)
    }

    /// Adds what the model is told before all else.
    pub fn system(&mut self, text: impl AsRef<[u8]>) -> Result<()> {
        self.add(Role::System, text)
    }

    /// Begins a message to which parts are added.
    pub fn begin(&mut self, role: Role) -> Result<()> {
        // SAFETY: the chat lives.
        check(unsafe { sys::scout_chat_begin(self.raw.as_ptr(), role as i32) })
    }

    /// Adds text to the message that was begun.
    pub fn add_text(&mut self, text: impl AsRef<[u8]>) -> Result<()> {
        let text = text.as_ref();
        // SAFETY: the text is as large as is said.
        check(unsafe { sys::scout_chat_add_text(self.raw.as_ptr(), text.as_ptr().cast(), text.len() as u64) })
    }

    /// Adds a picture to the message that was begun, at this place among its texts. The chat keeps what it needs of it. Any message but the
    /// system's may hold pictures. [`Error::Unsupported`] says why when the model was loaded without a vision tower
    /// ([`LoadOptions::vision`](crate::LoadOptions::vision)).
    pub fn add_image(&mut self, image: &Image) -> Result<()> {
        // SAFETY: both live.
        check(unsafe { sys::scout_chat_add_image(self.raw.as_ptr(), image.raw()) })
    }

    /// Adds a frame to the message that was begun: its time as text, "\[1.0 s\]", and directly behind it the picture.
    pub fn add_frame(&mut self, frame: &Frame) -> Result<()> {
        let time_us = i64::try_from(frame.time.as_micros()).unwrap_or(i64::MAX);
        // SAFETY: both live.
        check(unsafe { sys::scout_chat_add_frame(self.raw.as_ptr(), frame.image.raw(), time_us, frame.max_tiles) })
    }

    /// Adds the frames of a clip that were not taken yet to the message that was begun, each with its time before it, and gives their number.
    /// After a failure the message is as before.
    pub fn add_video(&mut self, video: &mut Video) -> Result<usize> {
        let mut frames = 0;
        // SAFETY: both live, and nobody else takes frames of the video: &mut.
        check(unsafe { sys::scout_chat_add_video(self.raw.as_ptr(), video.raw(), &mut frames) })?;
        Ok(frames as usize)
    }

    /// Adds a finished request's answer as the assistant's message: exactly the tokens that were generated, so that the next turn
    /// finds the pages of this one.
    pub fn add_answer(&mut self, request: &Request) -> Result<()> {
        // SAFETY: both live; a request is not shared between threads.
        check(unsafe { sys::scout_chat_add_answer(self.raw.as_ptr(), request.raw()) })
    }

    /// The ids of the conversation, with the beginning of the assistant's answer.
    pub fn tokens(&self) -> Result<Vec<i32>> {
        // SAFETY: the buffer is as large as is said.
        crate::fill(0, |ids, capacity, needed| unsafe { sys::scout_chat_tokens(self.raw(), ids, capacity, needed) })
    }

    /// The number of messages.
    pub fn len(&self) -> usize {
        let mut count = 0;
        // SAFETY: the chat lives; a place for a number, 0 after a failure.
        unsafe { sys::scout_chat_count(self.raw(), &mut count) };
        count as usize
    }

    /// Whether there is no message yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        // SAFETY: nobody else knows it.
        unsafe { sys::scout_chat_free(self.raw.as_ptr()) }
    }
}
