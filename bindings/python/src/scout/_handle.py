"""What every object over a native handle does: close once, whoever else is inside; text and ids as the library takes them."""
from __future__ import annotations

import threading
import time
from array import array
from typing import Any, Iterable, List, Optional, Tuple, Union

from ._errors import StateError

Text = Union[str, bytes, bytearray, memoryview]

# A wait of the main thread is made of slices, so that Ctrl-C is seen: a signal handler of Python runs there, between native calls only.
SLICE_MS = 100


class Handle:
    """Owns one native handle. Closing twice does nothing; a call on a closed object raises StateError; closing while other threads
    are inside cancels what they wait for, and the last one out frees. Forgotten objects are freed by the garbage collector."""

    __slots__ = ("_native_handle", "_users", "_lock", "_awaited", "__weakref__")

    def __init__(self, native_handle: Any) -> None:
        self._native_handle = native_handle
        self._users = 0
        self._awaited = False  # a task waits
        self._lock = threading.RLock()  # a collection inside it may run another object's __del__, or this one's

    # --- for subclasses -------------------------------------------------------------------------------------------------------------

    def _free(self, native_handle: Any) -> None:
        raise NotImplementedError

    def _interrupt(self, native_handle: Any) -> None:
        """Ends what other threads wait for; may do nothing where no call waits."""

    def _enter(self) -> Any:
        """The native handle, kept alive until _leave."""
        with self._lock:
            handle = self._native_handle
            if handle is None:
                raise StateError("the %s is closed" % type(self).__name__)
            self._users += 1
            return handle

    def _leave(self, handle: Any) -> None:
        with self._lock:
            self._users -= 1
            last = self._users == 0 and self._native_handle is None
        if last:
            self._free(handle)

    def _call(self, function: Any, *arguments: Any) -> Any:
        """function(handle, *arguments), with the handle kept alive."""
        handle = self._enter()
        try:
            return function(handle, *arguments)
        finally:
            self._leave(handle)

    # --- for everyone ---------------------------------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """True after close()."""
        return self._native_handle is None

    def close(self) -> None:
        """Frees what the object holds. May be called twice, from any thread, and before its children are closed."""
        with self._lock:
            handle, self._native_handle = self._native_handle, None
            if handle is None:
                return
            busy = self._users != 0
            self._users += 1  # so that nobody frees before the others are told
        try:
            if busy:
                self._interrupt(handle)
        finally:
            self._leave(handle)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *why: object) -> None:
        self.close()

    def __del__(self) -> None:
        try:
            self.close()
        except Exception:  # half made, or the interpreter is going away: the process takes its memory back
            pass


def text_bytes(text: Text, what: str = "text") -> bytes:
    """A text's bytes: str as UTF-8, where a surrogate without its other half becomes U+FFFD; bytes as they are, valid or not."""
    if isinstance(text, str):
        try:
            return text.encode("utf-8")
        except UnicodeEncodeError:
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode("utf-8")
    if isinstance(text, bytes):
        return text
    if isinstance(text, (bytearray, memoryview)):
        return bytes(text)
    raise TypeError("%s is %s, expected str or bytes" % (what, type(text).__name__))


def ids_bytes(ids: Iterable[int]) -> bytes:
    """Token ids as the library takes them. A NumPy array of int32 is one copy."""
    if isinstance(ids, (str, bytes, bytearray)):
        raise TypeError("ids is %s, expected integers" % type(ids).__name__)
    tobytes, dtype = getattr(ids, "tobytes", None), getattr(ids, "dtype", None)
    if tobytes is not None and str(dtype) == "int32":
        return tobytes()
    try:
        return array("i", ids).tobytes()
    except OverflowError:
        raise OverflowError("ids holds an integer that does not fit 32 bits") from None


def ids_list(data: bytes) -> List[int]:
    """Token ids as a list."""
    return array("i", data).tolist()


def wait_ms() -> int:
    """The time-out of one native call of a wait without end: short in the main thread; elsewhere a wait is ended by what closes the
    object."""
    return SLICE_MS if threading.get_ident() == threading.main_thread().ident else -1


def slices(timeout: Optional[float]) -> Any:
    """Time-outs in milliseconds that add up to `timeout` seconds, or go on for ever for None. At least one."""
    most = wait_ms()
    if timeout is None:
        while True:
            yield most
    end = time.monotonic() + timeout
    while True:
        left = max(0, int((end - time.monotonic()) * 1000 + 0.999))
        yield left if most < 0 else min(left, most)
        if time.monotonic() >= end:
            return


def call_filling(handle: Handle, function: Any, *arguments: Any) -> bytes:
    """A call of the kind that fills a buffer: asks for the size, then for the contents; again when it grew meanwhile."""
    size = 0
    while True:
        result: Tuple[int, bytes, int] = handle._call(function, *arguments, size)
        if result[2] <= size:
            return result[1][: result[2] * (len(result[1]) // size)] if size else b""
        size = result[2]
