"""The library's log, which is silent unless it is asked for: line by line, or into the logging module."""
from __future__ import annotations

import atexit
import logging
import threading
from typing import Any, NamedTuple, Optional, Union

from . import _native
from ._errors import LimitError
from ._handle import slices

_LEVELS = {
    _native.SCOUT_LOG_ERROR: logging.ERROR,
    _native.SCOUT_LOG_WARNING: logging.WARNING,
    _native.SCOUT_LOG_INFO: logging.INFO,
    _native.SCOUT_LOG_DEBUG: logging.DEBUG,
}


class LogLine(NamedTuple):
    """A line of the log."""
    level: int  #: as the logging module counts: logging.INFO for instance
    text: str


def open_log(level: int = logging.INFO, lines: int = 1000) -> None:
    """Makes the library keep its log for next_log(): the newest `lines` lines of `level` (logging.INFO for instance) and what matters
    more. It is one log for the whole process; opening it again forgets what was kept."""
    wanted = [native for native, ours in _LEVELS.items() if ours >= level]
    _native.scout_log_open(max(wanted, default=_native.SCOUT_LOG_ERROR), lines)


def close_log() -> None:
    """Makes the library silent again, and ends what waits in next_log()."""
    _native.scout_log_open(_native.SCOUT_LOG_ERROR, 0)


def next_log(timeout: Optional[float] = None) -> Optional[LogLine]:
    """The oldest line that is kept. None when `timeout` seconds are over, or when the log is not open."""
    for timeout_ms in slices(timeout):
        status, level, _, size = _native.scout_log_next(timeout_ms, 0)  # how long is it?
        if status == _native.SCOUT_DONE:
            return None
        try:
            text = b""
            if status == _native.SCOUT_OK and size:
                status, level, text, size = _native.scout_log_next(0, size)
        except LimitError:  # somebody else took the line, and the next one is longer
            continue
        if status == _native.SCOUT_OK:
            return LogLine(_LEVELS.get(level, logging.DEBUG), text[:size].decode("utf-8", "replace"))
    return None


class LogBridge:
    """Hands the library's log to the logging module, until close(). See log_to."""

    def __init__(self, logger: logging.Logger, level: int) -> None:
        self._logger = logger
        open_log(level)
        self._thread = threading.Thread(target=self._run, name="scout-log", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def _run(self) -> None:
        for line in iter(next_log, None):
            self._logger.log(line.level, "%s", line.text)

    def close(self) -> None:
        """Ends it: the library is silent again. What was not handed on yet is forgotten."""
        atexit.unregister(self.close)
        close_log()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def __enter__(self) -> "LogBridge":
        return self

    def __exit__(self, *why: Any) -> None:
        self.close()


def log_to(logger: Union[logging.Logger, str] = "scout", level: int = logging.INFO) -> LogBridge:
    """Hands the library's log to a logger of the logging module, from a thread of its own, until the bridge that comes back is closed.

    >>> logging.basicConfig(level=logging.INFO)
    >>> bridge = scout.log_to()
    """
    return LogBridge(logging.getLogger(logger) if isinstance(logger, str) else logger, level)
