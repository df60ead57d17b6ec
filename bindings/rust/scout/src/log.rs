//! The library's log: silent unless it has a sink or is opened for reading.
use crate::error::{check, error_of, Result};
use crate::request::timeout;
use scout_sys as sys;
use std::os::raw::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{ptr, slice};

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Level {
    /// Something failed.
    Error = sys::SCOUT_LOG_ERROR,
    /// Something is not as it should be.
    Warning = sys::SCOUT_LOG_WARNING,
    /// What is done.
    Info = sys::SCOUT_LOG_INFO,
    /// What a developer of the library asks for.
    Debug = sys::SCOUT_LOG_DEBUG,
}

type Sink = Box<dyn Fn(Level, &str) + Send + Sync>;

/// The sink in use. The library gets the address of the inner box.
static SINK: Mutex<Option<Box<Sink>>> = Mutex::new(None);

/// Gives every line of the process's log up to a level to a function, from any thread, one line at a time. It must not call the
/// library. The former sink is dropped.
///
/// ```
/// scout::set_log_sink(scout::Level::Warning, |level, line| eprintln!("{level:?}: {line}"));
/// scout::clear_log_sink();
/// ```
pub fn set_log_sink(most: Level, sink: impl Fn(Level, &str) + Send + Sync + 'static) {
    let boxed: Box<Sink> = Box::new(Box::new(sink));
    replace(Some(boxed), most);
}

/// Silence, as at first.
pub fn clear_log_sink() {
    replace(None, Level::Error);
}

fn replace(sink: Option<Box<Sink>>, most: Level) {
    let mut held = SINK.lock().unwrap_or_else(PoisonError::into_inner);
    let user = sink.as_deref().map_or(ptr::null_mut(), |sink| sink as *const Sink as *mut c_void);
    let call: Option<sys::scout_log_sink> = sink.as_ref().map(|_| line as sys::scout_log_sink);
    // SAFETY: the new sink lives in `held` from below on; when the call returns, the former one is not running and will not be called.
    unsafe { sys::scout_log_set_sink(call, user, most as i32) };
    *held = sink;
}

impl Level {
    fn of(level: i32) -> Level {
        match level {
            sys::SCOUT_LOG_ERROR => Level::Error,
            sys::SCOUT_LOG_WARNING => Level::Warning,
            sys::SCOUT_LOG_INFO => Level::Info,
            _ => Level::Debug,
        }
    }
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// Without its newline.
    pub text: String,
}

/// Keeps the newest lines up to a level, at most so many, for [`next_log`]: the log of a program that wants no function called from
/// other threads. It is one log for the whole process; opening it again forgets what was kept.
///
/// ```
/// scout::open_log(scout::Level::Info, 100)?;
/// let _model = scout::Model::load("scout-tiny")?;
/// let line = scout::next_log(None)?.unwrap();
/// assert_eq!(line.level, scout::Level::Info);
/// scout::close_log();
/// # Ok::<(), scout::Error>(())
/// ```
pub fn open_log(most: Level, lines: u64) -> Result<()> {
    // SAFETY: two numbers.
    check(unsafe { sys::scout_log_open(most as i32, lines) })
}

/// Keeps nothing any more; whoever waits in [`next_log`] gets `None`.
pub fn close_log() {
    // SAFETY: two numbers. With these it can fail inside a sink only, which must not call the library.
    unsafe { sys::scout_log_open(sys::SCOUT_LOG_ERROR, 0) };
}

/// The oldest line that is kept. `None` when there is none within this time (with no limit it waits), or when the log is not open.
pub fn next_log(limit: Option<Duration>) -> Result<Option<LogLine>> {
    let mut buffer = vec![0u8; 256];
    loop {
        let (mut level, mut size) = (0, 0);
        // SAFETY: the buffer is as large as is said.
        match unsafe { sys::scout_log_next(timeout(limit), &mut level, buffer.as_mut_ptr().cast(), buffer.len() as u64, &mut size) } {
            sys::SCOUT_OK => {
                let text = String::from_utf8_lossy(&buffer[..size as usize]).into_owned();
                return Ok(Some(LogLine { level: Level::of(level), text }));
            }
            sys::SCOUT_AGAIN | sys::SCOUT_DONE => return Ok(None),
            sys::SCOUT_ERR_LIMIT => buffer.resize(size as usize, 0),
            status => return Err(error_of(status)),
        }
    }
}

unsafe extern "C" fn line(user: *mut c_void, level: i32, text: *const c_char, text_size: u64) {
    let level = Level::of(level);
    // A panic must not go on into the library.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let text = String::from_utf8_lossy(slice::from_raw_parts(text.cast(), text_size as usize));
        (*user.cast::<Sink>())(level, &text);
    }));
}
