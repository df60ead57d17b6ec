"""Loading a model and asking what it is."""
from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Tuple, Union

from . import _native
from ._chat import Chat
from ._engine import Engine
from ._handle import SLICE_MS, Handle, Text, call_filling, ids_bytes, ids_list, slices, text_bytes
from ._image import Image, model_tile_options
from ._options import native_options
from ._request import Request, may_have_something

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import EngineOptions, LoadOptions, RequestOptions, TileOptions

Path = Union[str, bytes, "os.PathLike[str]"]
Progress = Callable[[int, int], None]


def _getters(kind: str) -> Dict[str, Any]:
    prefix = "scout_%s_" % kind
    return {name[len(prefix):-len("_get")]: getattr(_native, name) for name in dir(_native) if name.startswith(prefix) and name.endswith("_get")}


_MODEL_INFO, _TENSOR_INFO, _DEVICE_INFO = _getters("model_info"), _getters("tensor_info"), _getters("device_info")
_MODEL_DEVICE = _getters("model_device")


class Layer(NamedTuple):
    """What one layer is."""
    moe: bool  #: experts, else dense
    rope: bool  #: rotated, else position-free
    chunked: bool  #: attends inside its chunk, else to everything


class ModelDevice(NamedTuple):
    """A device that holds a part of a model."""
    name: str  #: as in LoadOptions
    description: str
    weight_bytes: int  #: resident there


class Tensor(NamedTuple):
    """A tensor of the model's files."""
    name: str
    format: str  #: "Q4_K"
    shape: Tuple[int, ...]  #: the last is the fastest
    bytes: int  #: in the file
    used: bool  #: False: not needed by the text model


class Device(NamedTuple):
    """What a model can run on."""
    name: str  #: for LoadOptions.device
    description: str
    memory_total_bytes: int
    memory_free_bytes: int


class Model(Handle):
    """A loaded model. May be used from any number of threads. Its memory goes when it and all that was made of it are closed."""

    __slots__ = ()

    def _free(self, native_handle: Any) -> None:
        _native.scout_free(native_handle)

    # --- answers --------------------------------------------------------------------------------------------------------------------

    def generate(self, prompt: Text, **options: "Unpack[RequestOptions]") -> Request:
        """Answers a text: as a chat's only user message where the model has a chat format, else (or with raw=True) by going on from it.

        >>> for event in model.generate("Tell me a story about a fox."): print(event.text, end="")
        """
        data = text_bytes(prompt, "prompt")
        with native_options("request", options) as made:
            return Request(self._call(_native.scout_generate_text, data, made)[1])

    def prompt_tokens(self, prompt: Text, **options: "Unpack[RequestOptions]") -> List[int]:
        """The ids that generate() makes of a prompt, those of its pictures (images=[...]) included."""
        with native_options("request", options) as made:
            return ids_list(call_filling(self, _native.scout_prompt_tokens, text_bytes(prompt, "prompt"), made))

    def expand_prompt(self, ids: Iterable[int], images: Iterable[Image] = ()) -> List[int]:
        """What ids become among which "<|image|>" (find_token) stands for pictures, and so which position is whose."""
        with native_options("request", {"images": images}) as made:
            return ids_list(call_filling(self, _native.scout_prompt_expand, ids_bytes(ids), made))

    def chat(self) -> Chat:
        """An empty conversation."""
        return Chat(self._call(_native.scout_chat_new)[1])

    def engine(self, **options: "Unpack[EngineOptions]") -> Engine:
        """An engine of its own for many requests. Options are those of EngineOptions."""
        with native_options("engine", options) as made:
            return Engine(self._call(_native.scout_engine_new, made)[1], bool(options.get("stepped")))

    def default_engine(self) -> Engine:
        """The engine that generate() uses: for its stats, and to submit chats without an engine of one's own. Closing it lets go of it;
        the engine stays the model's."""
        return Engine(self._call(_native.scout_model_engine)[1], False)

    # --- text and tokens ------------------------------------------------------------------------------------------------------------

    def encode(self, text: Text, *, special: bool = False, bos: bool = False) -> List[int]:
        """A text's token ids. special: spellings of control tokens become control tokens, only for trusted text. bos: begin with the
        begin-of-text token."""
        data = text_bytes(text)
        # A token holds at least one byte, so this is room for all.
        status, ids, needed = self._call(_native.scout_encode, data, self._encode_flags(special, bos), len(data) + 1)
        return ids_list(ids[: needed * 4])

    def count_tokens(self, text: Text, *, special: bool = False, bos: bool = False) -> int:
        """How many tokens encode would give."""
        return self._call(_native.scout_count_tokens, text_bytes(text), self._encode_flags(special, bos))[1]

    @staticmethod
    def _encode_flags(special: bool, bos: bool) -> int:
        return (_native.SCOUT_ENCODE_SPECIAL if special else 0) | (_native.SCOUT_ENCODE_BOS if bos else 0)

    def decode_bytes(self, ids: Iterable[int], *, special: bool = False) -> bytes:
        """The bytes of token ids; not always UTF-8: a single id may be part of a character."""
        return call_filling(self, _native.scout_decode, ids_bytes(ids), _native.SCOUT_DECODE_SPECIAL if special else 0)

    def decode(self, ids: Iterable[int], *, special: bool = False) -> str:
        """The text of token ids; U+FFFD for what is not UTF-8. special: control tokens are written with their names."""
        return self.decode_bytes(ids, special=special).decode("utf-8", "replace")

    def token_bytes(self, token: int) -> bytes:
        """The bytes of one token; of a control token its name."""
        return self._call(_native.scout_token_bytes, token)[1]

    def is_special(self, token: int) -> bool:
        """True for a control token."""
        return bool(self._call(_native.scout_token_bytes, token)[2])

    def find_token(self, name: Text) -> int:
        """The id of a control token by its name, "<|eot|>" for instance."""
        return self._call(_native.scout_token_find, text_bytes(name, "name"))[1]

    @property
    def stop_tokens(self) -> List[int]:
        """The ids that end an answer."""
        return ids_list(call_filling(self, _native.scout_stop_tokens))

    # --- facts ----------------------------------------------------------------------------------------------------------------------

    @property
    def info(self) -> Dict[str, Any]:
        """The model's facts by the names of scout_model_info."""
        made = _native.new_scout_model_info()
        handle = self._enter()
        try:
            _native.scout_model_get_info(handle, made)
            return {name: get(made) for name, get in _MODEL_INFO.items()}
        finally:
            self._leave(handle)
            _native.delete_scout_model_info(made)

    def layer(self, index: int) -> Layer:
        """What layer `index` is."""
        return Layer._make(bool(flag) for flag in self._call(_native.scout_model_get_layer, index)[1:])

    @property
    def devices(self) -> List[ModelDevice]:
        """The devices that hold a part of it; info["placement"] says which part."""
        handle = self._enter()
        made = _native.new_scout_model_device()
        info = _native.new_scout_model_info()
        try:
            _native.scout_model_get_info(handle, info)
            found = []
            for index in range(_MODEL_INFO["device_count"](info)):
                _native.scout_model_get_device(handle, index, made)
                found.append(ModelDevice(**{name: _MODEL_DEVICE[name](made) for name in ModelDevice._fields}))
            return found
        finally:
            self._leave(handle)
            _native.delete_scout_model_info(info)
            _native.delete_scout_model_device(made)

    @property
    def tensors(self) -> List[Tensor]:
        """The tensors of the model's files, in file order."""
        handle = self._enter()
        made = _native.new_scout_tensor_info()
        try:
            found = []
            for index in range(_native.scout_model_tensor_count(handle)[1]):
                _native.scout_model_get_tensor(handle, index, made)
                get = {name: getter(made) for name, getter in _TENSOR_INFO.items()}
                shape = tuple(_native.scout_tensor_info_axis(made, axis) for axis in range(get["rank"]))
                found.append(Tensor(get["name"], get["format"], shape, get["bytes"], bool(get["used"])))
            return found
        finally:
            self._leave(handle)
            _native.delete_scout_tensor_info(made)

    @property
    def tile_options(self) -> "TileOptions":
        """How a model that was loaded with vision=True wants its tiles; StateError for one without vision.

        >>> image.tiling(**model.tile_options)
        """
        return model_tile_options(self)

    def kv_bytes(self, positions: int, kv_format: int = _native.SCOUT_KV_DEFAULT) -> int:
        """Bytes of keys and values that one request of that many positions needs."""
        return self._call(_native.scout_model_kv_bytes, positions, kv_format)[1]


class Loading(Handle):
    """A load that is under way. Closing it cancels."""

    __slots__ = ()

    def _free(self, native_handle: Any) -> None:
        _native.scout_operation_free(native_handle)

    def _interrupt(self, native_handle: Any) -> None:
        _native.scout_operation_cancel(native_handle)

    def wait(self, timeout: Optional[float] = None) -> Optional[Model]:
        """The model once it is ready; None when `timeout` seconds are over. Raises what scout.load raises, and CancelledError."""
        for timeout_ms in slices(timeout):
            model = self._take(timeout_ms)
            if model is not None:
                return model
        return None

    def _take(self, timeout_ms: int) -> Optional[Model]:
        status, handle = self._call(_native.scout_operation_wait, timeout_ms)
        return None if handle is None else Model(handle)

    def __await__(self) -> Any:
        return self._wait_async().__await__()

    async def _wait_async(self) -> Model:
        try:
            while True:
                model = self._take(0)
                if model is not None:
                    return model
                await may_have_something(self, _native.scout_operation_descriptor)
        except asyncio.CancelledError:
            self.cancel()
            raise

    @property
    def progress(self) -> Tuple[int, int]:
        """Bytes of weights done and in all (0 while the headers are read)."""
        return self._call(_native.scout_operation_progress)[1:]

    def cancel(self) -> None:
        """Asks the load to end; it does after the read that is under way. From any thread."""
        self._call(_native.scout_operation_cancel)


def load_start(path: Path, **options: "Unpack[LoadOptions]") -> Loading:
    """Starts loading and returns at once. `await` the result, or wait() for it."""
    with native_options("load", options) as made:
        return Loading(_native.scout_load_start(_path_bytes(path), made)[1])


def load(path: Path, *, progress: Optional[Progress] = None, **options: "Unpack[LoadOptions]") -> Model:
    """Loads a model: a GGUF file, a Hugging Face directory, "scout-tiny" (the model that comes with the library), or "ollama:NAME".

    progress(done_bytes, total_bytes) is called now and then on this thread. Options are those of LoadOptions. Ctrl-C ends the wait."""
    with load_start(path, **options) as loading:
        while True:
            model = loading.wait(SLICE_MS / 1000 if progress else None)
            if progress:
                progress(*loading.progress)
            if model is not None:
                return model


async def load_async(path: Path, **options: "Unpack[LoadOptions]") -> Model:
    """Loads a model without holding up the event loop."""
    with load_start(path, **options) as loading:
        return await loading


def _path_bytes(path: Path) -> bytes:
    return os.fsencode(path)


def devices() -> List[Device]:
    """What a model can run on here, the default one first."""
    found = []
    made = _native.new_scout_device_info()
    try:
        for index in range(_native.scout_device_count()[1]):
            _native.scout_device_get(index, made)
            found.append(Device(**{name: _DEVICE_INFO[name](made) for name in Device._fields}))
    finally:
        _native.delete_scout_device_info(made)
    return found
