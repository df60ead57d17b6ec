"""Requests and the events they are made of."""
from __future__ import annotations

import asyncio
from typing import Any, AsyncIterator, Callable, Iterator, List, NamedTuple, Optional, Tuple

from . import _errors, _native
from ._handle import Handle, call_filling, ids_list, slices, wait_ms

# How often an event loop asks where it has no descriptors to wait for.
POLL_SECONDS = 0.005

STOP_NONE = _native.SCOUT_STOP_NONE
STOP_END = _native.SCOUT_STOP_END
STOP_STRING = _native.SCOUT_STOP_STRING
STOP_LENGTH = _native.SCOUT_STOP_LENGTH
STOP_CANCELLED = _native.SCOUT_STOP_CANCELLED
STOP_ERROR = _native.SCOUT_STOP_ERROR

_DONE = _native.SCOUT_DONE
_request_next = _native.scout_request_next


class Event(NamedTuple):
    """A piece of an answer: whole characters, with what they came from. Everything in it is a copy and stays valid."""
    text: str  #: may be empty
    ids: Tuple[int, ...]  #: the tokens the text came from
    logprobs: Optional[Tuple[float, ...]]  #: of these tokens, natural logarithm; None unless asked for
    top_logprobs: Optional[Tuple[Tuple[Tuple[int, float], ...], ...]]  #: for each token (id, logprob) pairs, best first; None unless asked for
    stop: int  #: STOP_*; not STOP_NONE: the last event
    tag: int  #: RequestOptions.tag
    message: str  #: in the last event what there is to say about its end
    status: int  #: a code where stop is STOP_ERROR or STOP_CANCELLED, else 0
    prompt_tokens: int  #: this and the following: in the last event
    cached_tokens: int  #: of the prompt, whose keys and values were found ready
    generated_tokens: int
    queue_ms: float
    prefill_ms: float
    decode_ms: float

    @property
    def last(self) -> bool:
        """True for the event that ends the answer."""
        return self.stop != STOP_NONE


_native.set_event_type(Event)


def check_event(event: Event) -> Event:
    """Raises what an event of a failed request says."""
    if event.stop == STOP_ERROR:
        raise _errors.make(event.status, event.message)
    return event


async def may_have_something(owner: Handle, descriptor: Callable[[Any], int]) -> None:
    """Returns when a call on `owner` may have an answer: when its descriptor is readable, or, where the loop or the system has nothing
    of that kind (on Windows), a little later."""
    if owner._awaited:
        raise _errors.StateError("another task waits for this %s" % type(owner).__name__)
    handle = owner._enter()  # closing it then cancels, which ends this wait, and frees after it
    owner._awaited = True
    try:
        loop = asyncio.get_running_loop()
        number = descriptor(handle)
        readable = loop.create_future()
        try:
            if number < 0:
                raise NotImplementedError
            loop.add_reader(number, lambda: readable.done() or readable.set_result(None))
        except NotImplementedError:
            await asyncio.sleep(POLL_SECONDS)
            return
        try:
            await readable
        finally:
            loop.remove_reader(number)
    finally:
        owner._awaited = False
        owner._leave(handle)


class Request(Handle):
    """An answer that is being made. Iterate over it, with `for` or `async for`; the last event says why it ended.

    A failure inside the request is raised by the iteration. Leaving the loop early keeps the request running: cancel() it, close() it
    or use it in a `with` block. cancel() may be called from any thread; two threads must not iterate at once (StateError)."""

    __slots__ = ("_ended", "_inside")

    def __init__(self, native_handle: Any) -> None:
        super().__init__(native_handle)
        self._ended = False  # the last event has left the library
        self._inside = False  # a thread is; set under the handle's lock

    def _free(self, native_handle: Any) -> None:
        _native.scout_request_free(native_handle)

    def _interrupt(self, native_handle: Any) -> None:
        _native.scout_request_cancel(native_handle)

    @property
    def done(self) -> bool:
        """True once the last event was taken."""
        return self._ended

    def _take(self, timeout_ms: int) -> Optional[Event]:
        # Runs for every token, on caches that the model has just swept: hence few steps, and one lock for what Handle._enter does and for
        # being alone. The event is copied inside the native call, but after the interpreter's lock was taken again: until then nobody
        # else may ask.
        with self._lock:
            handle = self._native_handle
            if handle is None or self._inside:
                raise _errors.StateError("the Request is closed" if handle is None else "another thread is inside this request")
            self._inside = True
            self._users += 1
        try:
            found = _request_next(handle, timeout_ms)
        finally:
            self._inside = False
            self._leave(handle)
        if found.__class__ is Event:
            if found.stop != STOP_NONE:
                self._ended = True
            return found
        if found == _DONE:
            self._ended = True
        return None

    def next(self, timeout: Optional[float] = None) -> Optional[Event]:
        """The next event; None when `timeout` seconds are over (None waits for ever), or after the last event (see done).

        Raises nothing for a failed request: look at the event's stop, status and message."""
        for timeout_ms in [0] if timeout is not None and timeout <= 0 else slices(timeout):
            if self._ended:
                return None
            event = self._take(timeout_ms)
            if event is not None:
                return event
        return None

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        timeout_ms = wait_ms()
        while not self._ended:
            event = self._take(timeout_ms)
            if event is not None:
                return event if event.stop != STOP_ERROR else check_event(event)
        raise StopIteration

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        try:
            event = self.next(0)
            while event is None and not self._ended:
                await may_have_something(self, _native.scout_request_descriptor)
                event = self.next(0)
        except asyncio.CancelledError:
            if not self.closed:
                self.cancel()
            raise
        if event is None:
            raise StopAsyncIteration
        return check_event(event)

    def text(self) -> str:
        """Waits for the end and returns the rest of the answer as one text."""
        return "".join(event.text for event in self)

    def cancel(self) -> None:
        """Ends the request; its last event says STOP_CANCELLED. From any thread; harmless after the end and after close()."""
        try:
            self._call(_native.scout_request_cancel)
        except _errors.StateError:
            if not self.closed:
                raise

    @property
    def ids(self) -> List[int]:
        """The token ids generated so far, as far as their events were taken."""
        return ids_list(call_filling(self, _native.scout_request_ids))
