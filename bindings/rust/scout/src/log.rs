//! The library's log: silent unless it has a sink.
use scout_sys as sys;
use std::os::raw::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Mutex, PoisonError};
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

unsafe extern "C" fn line(user: *mut c_void, level: i32, text: *const c_char, text_size: u64) {
    let level = match level {
        sys::SCOUT_LOG_ERROR => Level::Error,
        sys::SCOUT_LOG_WARNING => Level::Warning,
        sys::SCOUT_LOG_INFO => Level::Info,
        _ => Level::Debug,
    };
    // A panic must not go on into the library.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let text = String::from_utf8_lossy(slice::from_raw_parts(text.cast(), text_size as usize));
        (*user.cast::<Sink>())(level, &text);
    }));
}
