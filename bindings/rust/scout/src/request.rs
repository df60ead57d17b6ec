//! Answers: a request is an iterator over events, and can be cancelled from anywhere.
use crate::error::{check, error_of, Error, Result};
use scout_sys as sys;
use std::ffi::CStr;
use std::marker::PhantomData;
use std::ops::Deref;
use std::os::raw::c_char;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Weak};
use std::time::Duration;
use std::{cell::Cell, mem, slice};

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// The model ended its turn.
    End,
    /// A stop string.
    String,
    /// `max_tokens`, the context or the room for keys and values: [`End::message`] says which.
    Length,
    /// It was cancelled, or its engine is gone.
    Cancelled,
    /// [`End::error`] says what.
    Error,
    /// A reason that this crate does not know: the library is newer.
    Other(i32),
}

/// How an answer ended, and what it took.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct End {
    /// Why.
    pub stop: Stop,
    /// What there is to say about it; may be empty.
    pub message: String,
    /// Set for `Stop::Error` and `Stop::Cancelled`.
    pub error: Option<Error>,
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Those of them whose keys and values were found ready.
    pub cached_tokens: u64,
    /// Tokens of the answer.
    pub generated_tokens: u64,
    /// Waiting for a place.
    pub queue: Duration,
    /// Reading the prompt.
    pub prefill: Duration,
    /// Writing the answer.
    pub decode: Duration,
}

/// A piece of an answer: whole characters, with what they came from. It prints as its text.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// May be empty, in the last event for instance.
    pub text: String,
    /// The tokens that the text came from.
    pub ids: Vec<i32>,
    /// ln p of each id in the model's own distribution; empty unless asked for.
    pub logprobs: Vec<f32>,
    /// For each id the most likely tokens and their ln p, best first; empty unless asked for.
    pub top: Vec<Vec<(i32, f32)>>,
    /// [`RequestOptions::tag`](crate::RequestOptions::tag).
    pub tag: u64,
    /// In the last event.
    pub end: Option<End>,
}

impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// What waiting for an event brought.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // it is taken apart where it comes from
pub enum Next {
    /// An event.
    Event(Event),
    /// Nothing in this time.
    NotYet,
    /// The last event was taken before.
    Done,
}

/// Entries of a list that the library lends; NULL is an empty one.
///
/// # Safety
/// `data` is NULL or leads to `count` entries.
pub(crate) unsafe fn list<T: Copy>(data: *const T, count: u64) -> Vec<T> {
    if data.is_null() {
        Vec::new()
    } else {
        slice::from_raw_parts(data, count as usize).to_vec()
    }
}

/// # Safety
/// `text` is NULL or ends with a NUL.
pub(crate) unsafe fn text_of(text: *const c_char) -> String {
    if text.is_null() {
        String::new()
    } else {
        CStr::from_ptr(text).to_string_lossy().into_owned()
    }
}

/// A struct that the library lends, with zeros where an older library ends.
///
/// # Safety
/// `lent` begins with its struct_size and is that large.
pub(crate) unsafe fn lent_struct<T: Copy>(lent: *const T) -> T {
    let mut copy: T = mem::zeroed();
    let size = mem::size_of::<T>().min(*lent.cast::<u32>() as usize);
    ptr::copy_nonoverlapping(lent.cast::<u8>(), (&mut copy as *mut T).cast::<u8>(), size);
    copy
}

fn duration(ms: f64) -> Duration {
    Duration::from_secs_f64(if ms > 0.0 && ms < 1e15 { ms / 1e3 } else { 0.0 })
}

/// # Safety
/// `lent` is an event of a call that has just returned on this thread, and nobody else may make that call meanwhile.
pub(crate) unsafe fn read_event(lent: *const sys::scout_event) -> Event {
    let raw = lent_struct(lent);
    let ids = list(raw.ids, raw.id_count);
    let top_ids = list(raw.top_ids, raw.id_count * raw.top_count);
    let top_values = list(raw.top_logprobs, raw.id_count * raw.top_count);
    let pairs: Vec<(i32, f32)> = top_ids.into_iter().zip(top_values).collect();
    let text = list(raw.text.cast::<u8>(), raw.text_size);
    let end = (raw.stop != sys::SCOUT_STOP_NONE).then(|| End {
        stop: match raw.stop {
            sys::SCOUT_STOP_END => Stop::End,
            sys::SCOUT_STOP_STRING => Stop::String,
            sys::SCOUT_STOP_LENGTH => Stop::Length,
            sys::SCOUT_STOP_CANCELLED => Stop::Cancelled,
            sys::SCOUT_STOP_ERROR => Stop::Error,
            other => Stop::Other(other),
        },
        message: text_of(raw.message),
        error: (raw.status < 0).then(|| Error::from_status(raw.status, text_of(raw.message))),
        prompt_tokens: raw.prompt_tokens as u64,
        cached_tokens: raw.cached_tokens as u64,
        generated_tokens: raw.generated_tokens as u64,
        queue: duration(raw.queue_ms),
        prefill: duration(raw.prefill_ms),
        decode: duration(raw.decode_ms),
    });
    Event {
        text: String::from_utf8(text).unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned()),
        logprobs: list(raw.logprobs, raw.id_count),
        top: pairs.chunks(raw.top_count.max(1) as usize).map(<[_]>::to_vec).collect(),
        ids,
        tag: raw.tag,
        end,
    }
}

/// Milliseconds, rounded up; `None` waits for ever.
pub(crate) fn timeout(limit: Option<Duration>) -> i64 {
    limit.map_or(sys::SCOUT_WAIT, |limit| {
        limit.as_nanos().saturating_add(999_999).checked_div(1_000_000).map_or(0, |ms| ms.min(i64::MAX as u128) as i64)
    })
}

/// What a request keeps alive: its model, or its engine with it.
pub(crate) type Parent = Arc<dyn Send + Sync>;

struct Handle {
    raw: NonNull<sys::scout_request>,
    _parent: Parent,
}

// SAFETY: cancelling is allowed from any thread; everything else goes through `Request`, which one thread has at a time.
unsafe impl Send for Handle {}
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the last one that knew it is here.
        unsafe { sys::scout_request_free(self.raw.as_ptr()) }
    }
}

/// An answer in the making: an iterator over its [`Event`]s. Dropping it cancels what still runs.
pub struct Request {
    handle: Arc<Handle>,
    failed: Option<Error>,
    ended: bool,
    // Sent to other threads, but used by one at a time.
    _one_at_a_time: PhantomData<Cell<()>>,
}

impl Request {
    /// # Safety
    /// `raw` is a request that nobody else has.
    pub(crate) unsafe fn own(raw: *mut sys::scout_request, parent: Parent) -> Result<Request> {
        let raw = NonNull::new(raw).ok_or_else(|| Error::Internal("a request is NULL".to_string()))?;
        Ok(Request { handle: Arc::new(Handle { raw, _parent: parent }), failed: None, ended: false, _one_at_a_time: PhantomData })
    }

    pub(crate) fn raw(&self) -> *mut sys::scout_request {
        self.handle.raw.as_ptr()
    }

    /// Waits for the next event, at most this long; `None` waits for ever. A stepped engine never waits.
    pub fn next_within(&mut self, limit: Option<Duration>) -> Result<Next> {
        let mut lent = ptr::null();
        // SAFETY: the handle lives; `&mut self` keeps others from asking while the event is read.
        match unsafe { sys::scout_request_next(self.raw(), timeout(limit), &mut lent) } {
            sys::SCOUT_OK => Ok(Next::Event(unsafe { read_event(lent) })),
            sys::SCOUT_AGAIN => Ok(Next::NotYet),
            sys::SCOUT_DONE => Ok(Next::Done),
            status => Err(error_of(status)),
        }
    }

    /// The whole answer. One that was cut short by its limits is no error, one that failed or was cancelled is.
    pub fn text(self) -> Result<String> {
        let mut text = String::new();
        for event in self {
            let event = event?;
            text += &event.text;
            if let Some(error) = event.end.and_then(|end| end.error) {
                return Err(error);
            }
        }
        Ok(text)
    }

    /// The ids generated so far, as far as their events were taken.
    pub fn ids(&self) -> Result<Vec<i32>> {
        // SAFETY: the handle lives, and the buffer is as large as is said.
        crate::fill(0, |ids, capacity, needed| unsafe { sys::scout_request_ids(self.raw(), ids, capacity, needed) })
    }

    /// Ends the answer: its last event says `Cancelled`. Harmless after the end.
    pub fn cancel(&self) -> Result<()> {
        // SAFETY: allowed from any thread while the handle lives.
        check(unsafe { sys::scout_request_cancel(self.raw()) })
    }

    /// A descriptor for `poll` that is readable while there is something to take; only to be polled, and not after the request. For
    /// many requests use one [`Engine::descriptor`](crate::Engine::descriptor) instead.
    pub fn descriptor(&self) -> Option<i32> {
        // SAFETY: the handle lives.
        Some(unsafe { sys::scout_request_descriptor(self.raw()) }).filter(|&descriptor| descriptor >= 0)
    }

    /// Something that cancels this request from another thread, and does not keep it alive.
    pub fn canceller(&self) -> Canceller {
        Canceller { handle: Arc::downgrade(&self.handle) }
    }
}

impl Iterator for Request {
    type Item = Result<Event>;

    /// The next event, for as long as it takes. A failed answer ends with its error. A stepped engine never waits: there
    /// [`Error::Again`] says that a step is wanted, and the iterator goes on after it.
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.failed.take() {
            return Some(Err(error));
        }
        if self.ended {
            return None;
        }
        match self.next_within(None) {
            Ok(Next::Done) => {
                self.ended = true;
                None
            }
            Ok(Next::NotYet) => Some(Err(Error::Again("nothing now: step the engine".to_string()))),
            Ok(Next::Event(event)) => match &event.end {
                Some(End { stop: Stop::Error, error: Some(error), .. }) => {
                    if event.text.is_empty() {
                        return Some(Err(error.clone()));
                    }
                    self.failed = Some(error.clone());
                    Some(Ok(event))
                }
                _ => Some(Ok(event)),
            },
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        // A canceller at work elsewhere may hold the handle for a moment longer: the work ends now. No failure matters here.
        let _ = self.cancel();
    }
}

/// Cancels a request from any thread.
#[derive(Clone)]
pub struct Canceller {
    handle: Weak<Handle>,
}

impl Canceller {
    /// Ends the answer. Does nothing when it has ended or its request is gone.
    pub fn cancel(&self) {
        if let Some(handle) = self.handle.upgrade() {
            // SAFETY: `handle` keeps it alive; allowed from any thread. A failure could only say that it is gone.
            unsafe { sys::scout_request_cancel(handle.deref().raw.as_ptr()) };
        }
    }
}
