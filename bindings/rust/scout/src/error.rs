//! What can go wrong, by its status code, and the message that says what and what to do next.
use scout_sys as sys;
use std::ffi::CStr;
use std::fmt;

/// The result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Error>;

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $code:ident,)*) => {
        /// A failure: one variant per status code of the library, each with its message (one line with the field, the value, the
        /// limit, and what to do next).
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Error {
            $($(#[$doc])* $name(String),)*
            /// A code that this crate does not know: the library is newer.
            Other(i32, String),
        }

        impl Error {
            /// The error of a status code.
            pub fn from_status(status: i32, message: impl Into<String>) -> Error {
                match status {
                    $(sys::$code => Error::$name(message.into()),)*
                    _ => Error::Other(status, message.into()),
                }
            }

            /// The status code, as `scout/status.h` numbers it.
            pub fn status(&self) -> i32 {
                match self {
                    $(Error::$name(_) => sys::$code,)*
                    Error::Other(status, _) => *status,
                }
            }

            /// What went wrong, in one line.
            pub fn message(&self) -> &str {
                match self {
                    $(Error::$name(message) => message,)*
                    Error::Other(_, message) => message,
                }
            }
        }
    };
}

errors! {
    /// There is nothing now; the same call later may succeed: the waiting list is full, or a stepped engine wants a step.
    Again = SCOUT_AGAIN,
    /// An argument is outside what is allowed.
    Argument = SCOUT_ERR_ARGUMENT,
    /// A file or text breaks the rules of its format.
    Format = SCOUT_ERR_FORMAT,
    /// A file ends before what it announces.
    Truncated = SCOUT_ERR_TRUNCATED,
    /// Well formed but past a stated limit.
    Limit = SCOUT_ERR_LIMIT,
    /// Well formed, known, and not served by this build.
    Unsupported = SCOUT_ERR_UNSUPPORTED,
    /// Contents contradict their own rules.
    Corrupt = SCOUT_ERR_CORRUPT,
    /// The operating system refused or failed a read or write.
    Io = SCOUT_ERR_IO,
    /// Not enough memory, now or by plan.
    NoMemory = SCOUT_ERR_NO_MEMORY,
    /// The call does not fit the state of what it is made on.
    State = SCOUT_ERR_STATE,
    /// Refused for safety.
    Denied = SCOUT_ERR_DENIED,
    /// Ended by a cancel.
    Cancelled = SCOUT_ERR_CANCELLED,
    /// A device or its driver failed.
    Device = SCOUT_ERR_DEVICE,
    /// A defect of the library: please report it.
    Internal = SCOUT_ERR_INTERNAL,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            "" => f.write_str(status_text(self.status())),
            message => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

/// A status code in words, "not enough memory" for instance.
pub fn status_text(status: i32) -> &'static str {
    // SAFETY: the text is static and never NULL; it is ASCII.
    unsafe { CStr::from_ptr(sys::scout_status_text(status)) }.to_str().unwrap_or("")
}

/// A status code as the C header spells it, "SCOUT_ERR_NO_MEMORY" for instance.
pub fn status_name(status: i32) -> &'static str {
    // SAFETY: the text is static and never NULL; it is ASCII.
    unsafe { CStr::from_ptr(sys::scout_status_name(status)) }.to_str().unwrap_or("")
}

/// The error of a status that a call on this thread has just answered. The message is taken at once: the next failing call on this
/// thread replaces it.
pub(crate) fn error_of(status: i32) -> Error {
    // Of the positive ones a full waiting list has a message.
    if status > 0 && status != sys::SCOUT_AGAIN {
        return Error::from_status(status, status_text(status));
    }
    // SAFETY: never NULL; borrowed until the next failing call on this thread, and there is none before the copy.
    let message = unsafe { CStr::from_ptr(sys::scout_last_error()) };
    Error::from_status(status, message.to_string_lossy())
}

pub(crate) fn check(status: i32) -> Result<()> {
    if status == sys::SCOUT_OK {
        Ok(())
    } else {
        Err(error_of(status))
    }
}
