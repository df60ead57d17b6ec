//! Many requests at once over one model, and scoring.
use crate::error::{check, error_of, Error, Result};
use crate::model::described;
use crate::request::{lent_struct, list, read_event, timeout, Next, Parent};
use crate::{Chat, EngineOptions, Model, Request, RequestOptions, ScoreOptions};
use scout_sys as sys;
use std::mem::{size_of, zeroed};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

described! {
    /// Figures about an engine, in the words of `scout/engine.h`.
    EngineStats from scout_engine_stats {
        waiting: i64, running: i64, steps: i64, rows: i64, prompt_tokens: i64, cached_tokens: i64, generated_tokens: i64,
        /// Times a request gave its pages up and was computed again.
        preemptions: i64,
        local_pages: i64, local_pages_used: i64, local_pages_cached: i64, local_pages_peak: i64,
        global_pages: i64, global_pages_used: i64, global_pages_cached: i64, global_pages_peak: i64,
        /// Positions a page holds.
        page_positions: i64,
        context: i64, kv_bytes: u64, workspace_bytes: u64,
        /// By the vision tower, so far.
        pictures_encoded: i64,
        /// Pictures of requests that needed no encoding, so far.
        picture_cache_hits: i64,
        picture_cache_misses: i64,
        /// Pictures of which is kept what was computed.
        picture_cache_entries: i64,
        picture_cache_bytes: u64, picture_cache_limit_bytes: u64,
    }
}

struct Handle {
    raw: NonNull<sys::scout_engine>,
    /// Whoever takes an event of the engine's, until it is copied.
    taking: Mutex<()>,
    _model: Parent,
}

// SAFETY: submitting, asking and cancelling are allowed from any thread; taking events has its lock, and the library refuses a
// second step at once.
unsafe impl Send for Handle {}
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the last one that knew it is here; its requests hold it, so they are gone.
        unsafe { sys::scout_engine_free(self.raw.as_ptr()) }
    }
}

/// Runs many requests over one model. Clones share it; its requests keep it alive.
///
/// ```
/// use scout::{EngineOptions, Model, Next, RequestOptions};
/// let model = Model::load("scout-tiny")?;
/// let engine = model.engine(&EngineOptions::new())?;
/// let mut chat = model.chat()?;
/// chat.user("Hello!")?;
/// let request = engine.submit_with(&chat, &RequestOptions::new().tag(7))?;
/// while let Next::Event(event) = engine.next_event(None)? {
///     assert_eq!(event.tag, 7);
///     if event.end.is_some() {
///         break;
///     }
/// }
/// # Ok::<(), scout::Error>(())
/// ```
#[derive(Clone)]
pub struct Engine {
    handle: Arc<Handle>,
}

impl Engine {
    pub(crate) fn new(model: &Model, options: &EngineOptions) -> Result<Engine> {
        let mut raw = ptr::null_mut();
        // SAFETY: the model lives, and so do the options while the call runs.
        check(unsafe { sys::scout_engine_new(model.raw(), options.raw(), &mut raw) })?;
        let raw = NonNull::new(raw).ok_or_else(|| Error::Internal("an engine is NULL".to_string()))?;
        Ok(Engine { handle: Arc::new(Handle { raw, taking: Mutex::new(()), _model: model.parent() }) })
    }

    pub(crate) fn default_of(model: &Model) -> Result<Engine> {
        let mut raw = ptr::null_mut();
        // SAFETY: the model lives.
        check(unsafe { sys::scout_model_engine(model.raw(), &mut raw) })?;
        let raw = NonNull::new(raw).ok_or_else(|| Error::Internal("an engine is NULL".to_string()))?;
        Ok(Engine { handle: Arc::new(Handle { raw, taking: Mutex::new(()), _model: model.parent() }) })
    }

    fn raw(&self) -> *mut sys::scout_engine {
        self.handle.raw.as_ptr()
    }

    fn own(&self, status: i32, raw: *mut sys::scout_request) -> Result<Request> {
        check(status)?;
        // SAFETY: the call has just made it.
        unsafe { Request::own(raw, self.handle.clone()) }
    }

    /// Submits a conversation for an answer. A full waiting list is [`Error::Again`].
    pub fn submit(&self, chat: &Chat) -> Result<Request> {
        self.submit_with(chat, &RequestOptions::new())
    }

    /// Submits a conversation for an answer, with options.
    pub fn submit_with(&self, chat: &Chat, options: &RequestOptions) -> Result<Request> {
        let mut raw = ptr::null_mut();
        // SAFETY: engine, chat and options live; a chat is not shared between threads.
        let status = options.with_raw(|options| unsafe { sys::scout_submit(self.raw(), chat.raw(), options, &mut raw) });
        self.own(status, raw)
    }

    /// Submits a text, of any bytes, for an answer, as [`Model::generate`] does.
    pub fn submit_text(&self, text: impl AsRef<[u8]>, options: &RequestOptions) -> Result<Request> {
        let (text, mut raw) = (text.as_ref(), ptr::null_mut());
        // SAFETY: the text is as large as is said.
        let status = options
            .with_raw(|options| unsafe { sys::scout_submit_text(self.raw(), text.as_ptr().cast(), text.len() as u64, options, &mut raw) });
        self.own(status, raw)
    }

    /// Submits ids to be continued, as they are.
    pub fn submit_tokens(&self, ids: &[i32], options: &RequestOptions) -> Result<Request> {
        let mut raw = ptr::null_mut();
        // SAFETY: the ids are as many as is said.
        let status =
            options.with_raw(|options| unsafe { sys::scout_submit_tokens(self.raw(), ids.as_ptr(), ids.len() as u64, options, &mut raw) });
        self.own(status, raw)
    }

    /// Waits for the next event of any of its requests, at most this long; `None` waits for ever, also while there is no request.
    /// [`Event::tag`](crate::Event::tag) tells whose it is. [`Next::NotYet`] when the time is up or after [`Engine::wake`]. Who takes a
    /// request's events first keeps it: one that is iterated over is left out here, and the other way round that is [`Error::State`].
    pub fn next_event(&self, limit: Option<Duration>) -> Result<Next> {
        let mut lent = ptr::null();
        let _alone = self.handle.taking.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the lock is held until the event is copied.
        match unsafe { sys::scout_engine_next(self.raw(), timeout(limit), &mut lent) } {
            sys::SCOUT_OK => Ok(Next::Event(unsafe { read_event(lent) })),
            sys::SCOUT_AGAIN => Ok(Next::NotYet),
            sys::SCOUT_DONE => Ok(Next::Done),
            status => Err(error_of(status)),
        }
    }

    /// Makes the [`Engine::next_event`] that waits, or else the next one that finds no event, answer [`Next::NotYet`], from any thread.
    pub fn wake(&self) -> Result<()> {
        // SAFETY: allowed from any thread while the engine lives.
        check(unsafe { sys::scout_engine_wake(self.raw()) })
    }

    /// A descriptor for `poll` that is readable while any request has an event; only to be polled, and not after the engine.
    pub fn descriptor(&self) -> Option<i32> {
        // SAFETY: the engine lives.
        Some(unsafe { sys::scout_engine_descriptor(self.raw()) }).filter(|&descriptor| descriptor >= 0)
    }

    /// Runs a stepped engine for about this long; whether work is left.
    pub fn step(&self, budget: Duration) -> Result<bool> {
        // SAFETY: the engine lives.
        match unsafe { sys::scout_engine_step(self.raw(), budget.as_millis().min(i64::MAX as u128) as i64) } {
            sys::SCOUT_OK => Ok(true),
            sys::SCOUT_DONE => Ok(false),
            status => Err(error_of(status)),
        }
    }

    /// Figures about it.
    pub fn stats(&self) -> Result<EngineStats> {
        let mut raw = EngineStats::room();
        // SAFETY: the struct says how large it is.
        check(unsafe { sys::scout_engine_get_stats(self.raw(), &mut raw) })?;
        Ok(unsafe { EngineStats::read(&raw) })
    }

    /// Scores tokens: ln p of each id after the ids before it.
    pub fn score(&self, ids: &[i32]) -> Result<Scores> {
        self.score_with(ids, &ScoreOptions::new())
    }

    /// Whole rows of logits of these positions (ascending), or of all when none is named.
    pub fn logits(&self, ids: &[i32], positions: &[i64]) -> Result<Scores> {
        self.score_with(ids, &ScoreOptions::new().logits(true).positions(positions))
    }

    /// Scores tokens with options: with pictures among the ids, for instance.
    pub fn score_with(&self, ids: &[i32], options: &ScoreOptions) -> Result<Scores> {
        let mut raw = ptr::null_mut();
        // SAFETY: ids and positions are as many as is said, and are copied by the call.
        check(options.with_raw(|options| unsafe { sys::scout_score(self.raw(), ids.as_ptr(), ids.len() as u64, options, &mut raw) }))?;
        let raw = NonNull::new(raw).ok_or_else(|| Error::Internal("scores are NULL".to_string()))?;
        Ok(Scores { raw, ended: false, _engine: self.handle.clone() })
    }
}

/// A run of consecutive results of a scoring.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ScoreBlock {
    /// Ascending.
    pub positions: Vec<i64>,
    /// ln p of the id at each position; NaN at position 0; empty when logits were asked for.
    pub logprobs: Vec<f32>,
    /// Rows of `vocabulary` logits, of what follows each position; empty unless asked for.
    pub logits: Vec<f32>,
    /// The length of a row.
    pub vocabulary: usize,
}

/// A scoring under way: an iterator over its blocks. Dropping it cancels what still runs.
pub struct Scores {
    raw: NonNull<sys::scout_scores>,
    ended: bool,
    _engine: Parent,
}

// SAFETY: it has one owner, and blocks are taken through `&mut self`; cancelling is allowed from any thread.
unsafe impl Send for Scores {}
unsafe impl Sync for Scores {}

impl Scores {
    /// Ends the scoring, from any thread; the iterator then gives [`Error::Cancelled`].
    pub fn cancel(&self) -> Result<()> {
        // SAFETY: the handle lives.
        check(unsafe { sys::scout_scores_cancel(self.raw.as_ptr()) })
    }
}

impl Scores {
    /// A descriptor for `poll` that is readable while there is something to take; only to be polled, and not after the scores.
    pub fn descriptor(&self) -> Option<i32> {
        // SAFETY: the handle lives.
        Some(unsafe { sys::scout_scores_descriptor(self.raw.as_ptr()) }).filter(|&descriptor| descriptor >= 0)
    }
}

impl Iterator for Scores {
    type Item = Result<ScoreBlock>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let mut lent = ptr::null();
        // SAFETY: `&mut self` keeps others from asking while the block is read.
        match unsafe { sys::scout_scores_next(self.raw.as_ptr(), sys::SCOUT_WAIT, &mut lent) } {
            sys::SCOUT_OK => Some(Ok(unsafe {
                let raw = lent_struct(lent);
                ScoreBlock {
                    positions: list(raw.positions, raw.count),
                    logprobs: list(raw.logprobs, raw.count),
                    logits: list(raw.logits, raw.count * raw.vocabulary),
                    vocabulary: raw.vocabulary as usize,
                }
            })),
            sys::SCOUT_AGAIN => Some(Err(Error::Again("nothing now: step the engine".to_string()))),
            status => {
                self.ended = true;
                (status != sys::SCOUT_DONE).then(|| Err(error_of(status)))
            }
        }
    }
}

impl Drop for Scores {
    fn drop(&mut self) {
        // SAFETY: nobody else knows it.
        unsafe { sys::scout_scores_free(self.raw.as_ptr()) }
    }
}
