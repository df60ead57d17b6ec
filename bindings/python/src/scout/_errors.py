"""What can go wrong: one exception for each status code of the library."""
from __future__ import annotations

from typing import Dict, Optional, Type


class ScoutError(Exception):
    """A call failed. ``status`` is the library's code, ``str()`` its one-line message."""

    #: The library's code, negative for a failure.
    status: int = 0

    def __init__(self, message: str, status: Optional[int] = None) -> None:
        super().__init__(message)
        if status is not None:
            self.status = status


class ArgumentError(ScoutError, ValueError):
    """An argument is outside what is allowed."""
    status = -1


class FormatError(ScoutError, ValueError):
    """A file or text breaks the rules of its format."""
    status = -2


class TruncatedError(ScoutError, EOFError):
    """A file ends before what it announces."""
    status = -3


class LimitError(ScoutError, ValueError):
    """Well formed, but past a stated limit."""
    status = -4


class UnsupportedError(ScoutError):
    """Well formed, known, and not served by this build."""
    status = -5


class CorruptError(ScoutError):
    """Contents contradict their own rules: a NaN among the weights, for instance."""
    status = -6


class IoError(ScoutError):
    """The operating system refused or failed a read or write."""
    status = -7


class NoMemoryError(ScoutError, MemoryError):
    """Not enough memory, now or by plan."""
    status = -8


class StateError(ScoutError, RuntimeError):
    """The call does not fit the state of the object: it is closed, or another thread is inside."""
    status = -9


class DeniedError(ScoutError, PermissionError):
    """Refused for safety."""
    status = -10

    def __str__(self) -> str:
        return str(self.args[0])


class CancelledError(ScoutError):
    """Ended by a cancel."""
    status = -11


class DeviceError(ScoutError):
    """A device or its driver failed."""
    status = -12


class InternalError(ScoutError):
    """A defect of the library: please report it."""
    status = -13


class AgainError(ScoutError):
    """Nothing now; the same call later may do: the engine's waiting list is full."""
    status = 2


BY_STATUS: Dict[int, Type[ScoutError]] = {
    error.status: error
    for error in (ArgumentError, FormatError, TruncatedError, LimitError, UnsupportedError, CorruptError, IoError, NoMemoryError,
                  StateError, DeniedError, CancelledError, DeviceError, InternalError, AgainError)
}


def make(status: int, message: str) -> ScoutError:
    """The exception of a status. The native module calls this on the thread of the failing call, with that call's message."""
    return BY_STATUS.get(status, ScoutError)(message or "status %d" % status, status)
