"""Many requests at once over one model."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterable, Mapping, Optional, Union

from . import _native
from ._chat import Chat
from ._errors import StateError
from ._handle import Handle, Text, ids_bytes, slices, text_bytes
from ._image import Image
from ._options import native_options
from ._request import Event, Request
from ._score import Scores

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import RequestOptions

Prompt = Union[Text, Chat, Iterable[int]]

_STATS = [name[len("scout_engine_stats_"):-len("_get")] for name in dir(_native) if name.startswith("scout_engine_stats_") and name.endswith("_get")]


class Engine(Handle):
    """Runs requests of one model together. Closing it ends its requests with a last event; what they hold can still be read."""

    __slots__ = ("_stepped", "_woken")

    def __init__(self, native_handle: Any, stepped: bool) -> None:
        super().__init__(native_handle)
        self._stepped = stepped
        self._woken = False

    def _free(self, native_handle: Any) -> None:
        _native.scout_engine_free(native_handle)

    def _interrupt(self, native_handle: Any) -> None:
        _native.scout_engine_wake(native_handle)

    def submit(self, prompt: Prompt, **options: "Unpack[RequestOptions]") -> Request:
        """Submits a prompt: a Chat, a text (as Model.generate takes it), or token ids (continued as they are).

        Raises AgainError when the waiting list is full. Options are those of RequestOptions."""
        if isinstance(prompt, Chat):
            return self._submit_chat(prompt, options)
        with native_options("request", options) as made:
            if isinstance(prompt, (str, bytes, bytearray, memoryview)):
                return Request(self._call(_native.scout_submit_text, text_bytes(prompt, "prompt"), made)[1])
            return Request(self._call(_native.scout_submit_tokens, ids_bytes(prompt), made)[1])

    def _submit_chat(self, chat: Chat, options: Mapping[str, Any]) -> Request:
        handle = chat._enter()
        try:
            with native_options("request", options) as made:
                return Request(self._call(_native.scout_submit, handle, made)[1])
        finally:
            chat._leave(handle)

    def next(self, timeout: Optional[float] = None) -> Optional[Event]:
        """The next event of any of the engine's requests; its tag tells whose. None when `timeout` seconds are over or wake() was
        called. Who reads a request first keeps it: one that is iterated over is left out here, and the other way round it is a
        StateError. Keep each Request until its last event has come: one that is forgotten is freed, and what was to come of it does
        not. A stepped engine never waits."""
        for timeout_ms in [0] if self._stepped else slices(timeout):
            found = self._call(_native.scout_engine_next, timeout_ms)
            if found.__class__ is Event:
                return found
            if self._woken:
                self._woken = False
                return None
            if found == _native.SCOUT_DONE:
                raise StateError("the engine is closed")
        return None

    def wake(self) -> None:
        """Makes the next() that waits, or else the next one that finds no event, return None. From any thread."""
        self._woken = True
        self._call(_native.scout_engine_wake)

    def step(self, budget: float = 0) -> bool:
        """Runs a stepped engine for about `budget` seconds, rounded up to a layer. True while work is left."""
        return self._call(_native.scout_engine_step, int(budget * 1000)) == _native.SCOUT_OK

    def fileno(self) -> int:
        """A descriptor that select and poll find readable while any request has an event. Only to be polled; -1 where there is none."""
        return self._call(_native.scout_engine_descriptor)

    @property
    def stats(self) -> Dict[str, int]:
        """Figures about requests, steps, pages and memory, by the names of scout_engine_stats."""
        made = _native.new_scout_engine_stats()
        try:
            self._call(_native.scout_engine_get_stats, made)
            return {name: getattr(_native, "scout_engine_stats_%s_get" % name)(made) for name in _STATS}
        finally:
            _native.delete_scout_engine_stats(made)

    def score(self, ids: Iterable[int], *, logits: bool = False, positions: Optional[Iterable[int]] = None,
              images: Iterable[Image] = ()) -> Scores:
        """Log-probabilities of given tokens, or, with logits=True, whole rows of logits (of `positions`, ascending, or of all). With images
        each "<|image|>" among the ids becomes the tokens of the next of them, and positions are those of Model.expand_prompt."""
        given: Dict[str, Any] = {"images": images}
        if logits:
            given["logits"] = 1
        if positions is not None:
            given["positions"] = positions
        with native_options("score", given) as made:
            return Scores(self._call(_native.scout_score, ids_bytes(ids), made)[1])
