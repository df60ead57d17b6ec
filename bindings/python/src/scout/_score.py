"""Log-probabilities of given tokens, and rows of logits."""
from __future__ import annotations

import ctypes
import threading
import weakref
from array import array
from typing import Any, Iterator, List, Optional, Tuple

from . import _errors, _native
from ._handle import Handle, slices


def _row_type(count: int, vocabulary: int) -> Any:
    # A class of our own, so that its instances can be watched by a weak reference.
    return type("Logits", (ctypes.Array,), {"_type_": ctypes.c_float * vocabulary, "_length_": count})


def _as_array(buffer: Any) -> Any:
    try:
        import numpy
    except ImportError:
        return memoryview(buffer).cast("B").cast("f", (len(buffer), len(buffer[0])))
    return numpy.asarray(buffer)


class ScoreBlock:
    """A run of consecutive results."""

    __slots__ = ("positions", "logprobs", "vocabulary", "_scores", "_address", "_copy", "__weakref__")

    positions: List[int]  #: ascending
    logprobs: Optional[List[float]]  #: ln p of the token at each position given those before it; NaN at position 0; None with logits
    vocabulary: int  #: the length of a row of logits

    def __init__(self, scores: "Scores", found: Tuple[Any, ...]) -> None:
        _, positions, logprobs, self._address, self.vocabulary = found
        self.positions = array("q", positions).tolist()
        self.logprobs = None if logprobs is None else array("f", logprobs).tolist()
        self._scores: Optional["Scores"] = scores
        self._copy: Any = None

    def view(self) -> Any:
        """The logits [positions][vocabulary] as float32, in the library's own memory: a NumPy array where NumPy is installed, else a
        memoryview. Nothing is copied, so drop every reference to it before the next block is asked for (StateError otherwise)."""
        if not self._address:
            raise _errors.StateError("no logits were asked for: score(..., logits=True)")
        if self._scores is None:
            raise _errors.StateError("this block's memory went with the next one: take view() or logits before")
        return _as_array(self._scores._borrow(self._address, len(self.positions), self.vocabulary))

    @property
    def logits(self) -> Any:
        """The logits as view() gives them, copied: they stay valid. None unless asked for."""
        if not self._address:
            return None
        if self._copy is None:
            rows = self.view()
            own = _row_type(len(self.positions), self.vocabulary)()
            ctypes.memmove(own, self._address, ctypes.sizeof(own))
            del rows
            self._copy = _as_array(own)
        return self._copy

    def __len__(self) -> int:
        return len(self.positions)


class Scores(Handle):
    """Scoring that is under way: an iterator over ScoreBlock. cancel() may be called from any thread."""

    __slots__ = ("_block", "_views", "_done", "_inside")

    def __init__(self, native_handle: Any) -> None:
        super().__init__(native_handle)
        self._block: Any = None  # a weak reference: the block keeps these scores alive, not the other way round
        self._views: List[Any] = []
        self._done = False
        self._inside = threading.Lock()

    def _free(self, native_handle: Any) -> None:
        # The memory of a view stays until the last one has gone.
        alive = [owner for owner in (view() for view in self._views) if owner is not None]
        if alive:
            waiting = {"count": len(alive)}

            def gone() -> None:
                waiting["count"] -= 1
                if waiting["count"] == 0:
                    _native.scout_scores_free(native_handle)

            for owner in alive:
                weakref.finalize(owner, gone).atexit = False
            return
        _native.scout_scores_free(native_handle)

    def _interrupt(self, native_handle: Any) -> None:
        _native.scout_scores_cancel(native_handle)

    def _borrow(self, address: int, count: int, vocabulary: int) -> Any:
        self._views = [view for view in self._views if view() is not None]
        handle = self._enter()
        try:
            owner = _row_type(count, vocabulary).from_address(address)
            self._views.append(weakref.ref(owner))
            return owner
        finally:
            self._leave(handle)

    def _take(self, timeout_ms: int) -> Tuple[int, Optional[Tuple[Any, ...]]]:
        if not self._inside.acquire(False):
            raise _errors.StateError("another thread is inside these scores")
        try:
            if any(view() is not None for view in self._views):
                raise _errors.StateError("a view of the block before is still in use: drop it, or keep a copy (logits)")
            block = self._block() if self._block is not None else None
            if block is not None:
                block._scores = None
            return self._call(_native.scout_scores_next, timeout_ms)
        finally:
            self._inside.release()

    def next(self, timeout: Optional[float] = None) -> Optional[ScoreBlock]:
        """The next block; None when `timeout` seconds are over, or after the last (see done)."""
        for timeout_ms in slices(timeout):
            if self._done:
                return None
            status, found = self._take(timeout_ms)
            if status == _native.SCOUT_DONE:
                self._done = True
            elif found is not None:
                block = ScoreBlock(self, found)
                self._block = weakref.ref(block)
                return block
        return None

    @property
    def done(self) -> bool:
        """True once everything was taken."""
        return self._done

    def __iter__(self) -> Iterator[ScoreBlock]:
        return self

    def __next__(self) -> ScoreBlock:
        block = self.next()
        if block is None:
            raise StopIteration
        return block

    def cancel(self) -> None:
        """Ends the scoring; the iteration then raises CancelledError. From any thread."""
        self._call(_native.scout_scores_cancel)
