"""Keyword arguments to the library's option structs."""
from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, Iterator, Mapping, Sequence, TypedDict, Union

from . import _native
from ._handle import Handle, Text, text_bytes

if TYPE_CHECKING:
    from ._image import Image


class LoadOptions(TypedDict, total=False):
    """What scout.load takes beside the path. Each may be left out."""
    device: str  #: "cpu", "ref"; see scout.devices()
    threads: int  #: compute threads; 0 = as many as the process may use
    numerics: int  #: NUMERICS_INVARIANT (the default), NUMERICS_FAST, NUMERICS_FLOAT32
    kv_format: int  #: KV_F16, KV_Q8_0 (half of it), KV_BF16, KV_F32: how keys and values are kept
    context: int  #: positions that one request may use
    kv_bytes: int  #: memory for keys and values of an engine that does not say
    memory_limit_bytes: int  #: refuse to load what needs more
    plugin_dir: str  #: where plug-ins are looked for
    map_file: bool  #: map the file instead of reading it; a file that shrinks then ends the process
    skip_weight_check: bool  #: do not look for NaN and infinity while loading
    vision: bool  #: load the vision tower too, where the files have one, so that chats can hold pictures
    pack: int  #: PACK_USE, PACK_CHECK or PACK_WRITE a packed side-file, with which a GGUF file loads in milliseconds; the default is none
    placement: str  #: what lies on which device: "experts=cpu"; "layers 0-23=cuda:0; layers 24-47=cuda:1"; the devices decide otherwise
    pack_path: str  #: the side-file; the path of the GGUF file with ".pack" behind it otherwise


class EngineOptions(TypedDict, total=False):
    """What Model.engine takes. Each may be left out."""
    stepped: bool  #: the caller runs the steps (Engine.step); no thread is made and no call waits
    kv_format: int  #: as in LoadOptions
    kv_bytes: int  #: as in LoadOptions
    context: int  #: as in LoadOptions
    step_rows: int  #: most tokens of a step
    decode_step_rows: int  #: most tokens of a step while answers stream
    max_waiting: int  #: requests in the waiting list before submit raises AgainError
    max_running: int  #: requests that share a step
    no_prefix_cache: bool  #: pages of finished prompts are not kept for later ones
    cache_salt: int  #: requests of engines with different salts never share pages
    picture_cache_bytes: int  #: most memory for what was computed of pictures that later requests may ask about again; 0 = 268435456
    no_picture_cache: bool  #: nothing is kept of a picture when the requests that need it have computed it; not with picture_cache_bytes


class RequestOptions(TypedDict, total=False):
    """What generate and submit take beside the prompt. Each may be left out: greedy, until the model ends."""
    temperature: float  #: 0 = always the most likely token
    top_k: int  #: sample among the k most likely; 0 = all
    top_p: float  #: leave out tokens whose more likely ones already hold this mass; 1 = off
    min_p: float  #: leave out tokens less likely than this times the most likely; 0 = off
    repetition_penalty: float  #: over prompt and answer; 1 = off
    frequency_penalty: float  #: subtracted for each time the token is in the answer
    presence_penalty: float  #: subtracted when the token is in the answer
    seed: int  #: same seed, same request: same answer
    max_tokens: int  #: 0 = as many as the context holds
    tag: int  #: repeated in each event
    bias: Union[Mapping[int, float], Iterable[Sequence[float]]]  #: id -> added to its logit; -inf forbids
    stop: Union[Text, Iterable[Text]]  #: the answer ends before the first of these
    stop_tokens: Iterable[int]  #: beside the model's own
    logprobs: bool  #: log-probabilities of the generated tokens
    top_logprobs: int  #: 0 to 20: the most likely tokens of each position, with theirs
    ignore_end: bool  #: go on past the model's own stop tokens
    include_special: bool  #: control tokens are written into the text
    raw: bool  #: the prompt is continued as it stands instead of answered
    images: Iterable[Image]  #: of a text or ids: a question comes behind them; in what is continued, each "<|image|>" becomes the next one


class ImageOptions(TypedDict, total=False):
    """How a picture is read. Each may be left out."""
    alpha: int  #: ALPHA_DROP (the default): the colour as it is stored; ALPHA_WHITE: over white
    orientation: int  #: 0 = turn as the file's EXIF says; 1 = leave it as it is stored; 2 to 8 = turn it as EXIF means by that number
    max_pixels: int  #: refuse a picture with more, before it is decoded; 0 = 134217728
    max_bytes: int  #: refuse a file with more; 0 = 268435456
    plugin_dir: str  #: where the plug-in that reads files is looked for


class TileOptions(TypedDict, total=False):
    """How a picture is cut into tiles. Each may be left out: as the released Llama 4 models take it."""
    tile_side: int  #: pixels, 1 to 4096; 0 = 336
    max_tiles: int  #: of a grid, 1 to 256; 0 = 16; 1 = always one tile
    patch_tokens: int  #: tokens that a tile becomes, 1 to 65536; 0 = 144
    resize: int  #: RESIZE_TORCHVISION (the default), RESIZE_PIL
    threads: int  #: 0 = as many as the process may use; they change no pixel


class VideoOptions(TypedDict, total=False):
    """Which frames are taken of a clip, and what it may cost. Each may be left out: a frame a second."""
    count: int  #: frames in all, evenly from the beginning on; 0 = by fps
    fps: float  #: frames a second, up to 1000, not with count; 0 = 1. A frame that is chosen twice is taken once
    scene_change: float  #: only frames that differ from the last taken by at least so many percent of the most they could; 0 = all
    start_us: int  #: where the part to take begins, microseconds from the clip's start
    end_us: int  #: where it ends; 0 = with the clip
    max_tiles: int  #: of a frame in a chat, 1 to 256; 0 = 1
    orientation: int  #: 0 = turn as the clip says; 1 = leave it as it is stored; 2 to 8 = turn it as EXIF means by that number
    threads: int  #: of the decoder; 0 = as many as the process may use, at most 8; they change no pixel
    max_frames: int  #: refuse a choice of more; 0 = 256
    max_duration_us: int  #: refuse a longer clip; 0 = four hours
    max_bytes: int  #: refuse a larger clip; 0 = 4294967296
    max_pixels: int  #: refuse a clip with larger frames, before one is decoded; 0 = 35389440
    max_work: int  #: pixels decoded in all, those of frames that are not taken included; 0 = 274877906944
    plugin_dir: str  #: where the plug-in that reads clips is looked for


def _names(kind: str) -> Dict[str, Any]:
    prefix, suffix = "scout_%s_options_" % kind, "_set"
    return {name[len(prefix):-len(suffix)]: getattr(_native, name) for name in dir(_native) if name.startswith(prefix) and name.endswith(suffix)}


_NUMBERS = {kind: _names(kind) for kind in ("load", "engine", "request", "score", "image", "tile", "video")}


def _texts(value: Union[Text, Iterable[Text]]) -> Iterable[Text]:
    return [value] if isinstance(value, (str, bytes, bytearray, memoryview)) else value


def _set_special(kind: str, made: Any, name: str, value: Any, held: Callable[[Image], Any]) -> bool:
    """The options that are more than a number. held() keeps a picture until the call is made."""
    failed = 0
    if name == "device":
        failed = _native.scout_load_options_set_device(made, text_bytes(value, name))
    elif name == "plugin_dir" and kind in ("load", "image", "video"):
        failed = getattr(_native, "scout_%s_options_set_plugin_dir" % kind)(made, text_bytes(value, name))
    elif name == "pack_path":
        failed = _native.scout_load_options_set_pack_path(made, text_bytes(value, name))
    elif name == "placement":
        failed = _native.scout_load_options_set_placement(made, text_bytes(value, name))
    elif name == "stop":
        for text in _texts(value):
            failed = failed or _native.scout_request_options_add_stop(made, text_bytes(text, name))
    elif name == "stop_tokens":
        for token in value:
            failed = failed or _native.scout_request_options_add_stop_token(made, token)
    elif name == "bias":
        for token, weight in value.items() if hasattr(value, "items") else value:
            failed = failed or _native.scout_request_options_add_bias(made, token, weight)
    elif name == "images":
        for image in value:
            failed = failed or getattr(_native, "scout_%s_options_add_image" % kind)(made, held(image))
    elif name == "positions":
        for position in value:
            failed = failed or _native.scout_score_options_add_position(made, position)
    else:
        return False
    if failed:
        raise MemoryError(name)
    return True


@contextlib.contextmanager
def native_options(kind: str, given: Mapping[str, Any]) -> Iterator[Any]:
    """An option struct with what was given set in it, for the time of the call. None, the defaults, where nothing was given."""
    if not given:
        yield None
        return
    made = getattr(_native, "new_scout_%s_options" % kind)()
    entered = []

    def held(image: Image) -> Any:
        if not isinstance(image, Handle):
            raise TypeError("%s is no Image" % type(image).__name__)
        entered.append((image, image._enter()))
        return entered[-1][1]

    try:
        for name, value in given.items():
            if kind == "engine" and name == "stepped":
                name, value = "mode", _native.SCOUT_ENGINE_STEPPED if value else _native.SCOUT_ENGINE_THREADED
            try:
                if name in _NUMBERS[kind]:
                    _NUMBERS[kind][name](made, int(value) if isinstance(value, bool) else value)
                elif not _set_special(kind, made, name, value, held):
                    raise TypeError("there is no option of that name")
            except (TypeError, OverflowError) as error:
                raise type(error)("%s: %r does not do (%s)" % (name, value, error)) from None
        yield made
    finally:
        getattr(_native, "delete_scout_%s_options" % kind)(made)
        for image, handle in entered:
            image._leave(handle)
