"""Meta's Llama 4 in this process, by libscout.

>>> import scout
>>> with scout.load("scout-tiny") as model:
...     for event in model.generate("Tell me a story about a fox."):
...         print(event.text, end="", flush=True)

Everything made here is closed by close() or a `with` block, in any order; what is forgotten goes with the garbage collector. Calls that
wait release the interpreter's lock and see Ctrl-C. Failures raise the ScoutError of their status.
"""
from __future__ import annotations

from . import _native
from ._chat import Chat
from ._engine import Engine
from ._errors import (AgainError, ArgumentError, CancelledError, CorruptError, DeniedError, DeviceError, FormatError, InternalError, IoError,
                      LimitError, NoMemoryError, ScoutError, StateError, TruncatedError, UnsupportedError)
from ._image import Image, ImageInfo, Tiling, tiling_of_size
from ._log import LogBridge, LogLine, close_log, log_to, next_log, open_log
from ._model import Device, Layer, Loading, Model, ModelDevice, Tensor, devices, load, load_async, load_start
from ._options import EngineOptions, ImageOptions, LoadOptions, RequestOptions, TileOptions, VideoOptions
from ._request import STOP_CANCELLED, STOP_END, STOP_ERROR, STOP_LENGTH, STOP_NONE, STOP_STRING, Event, Request
from ._score import ScoreBlock, Scores
from ._video import Frame, Video, VideoInfo

KV_F16: int = _native.SCOUT_KV_F16
KV_BF16: int = _native.SCOUT_KV_BF16
KV_F32: int = _native.SCOUT_KV_F32
KV_Q8_0: int = _native.SCOUT_KV_Q8_0
NUMERICS_INVARIANT: int = _native.SCOUT_NUMERICS_INVARIANT
NUMERICS_FAST: int = _native.SCOUT_NUMERICS_FAST
NUMERICS_FLOAT32: int = _native.SCOUT_NUMERICS_FLOAT32
PACK_NONE: int = _native.SCOUT_PACK_NONE
PACK_USE: int = _native.SCOUT_PACK_USE
PACK_CHECK: int = _native.SCOUT_PACK_CHECK
PACK_WRITE: int = _native.SCOUT_PACK_WRITE

ALPHA_DROP: int = _native.SCOUT_ALPHA_DROP
ALPHA_WHITE: int = _native.SCOUT_ALPHA_WHITE
RESIZE_TORCHVISION: int = _native.SCOUT_RESIZE_TORCHVISION
RESIZE_PIL: int = _native.SCOUT_RESIZE_PIL


def version() -> str:
    """The library's version, "major.minor.patch"."""
    return _native.scout_version()


def build_info() -> str:
    """One line about the library's build, for bug reports."""
    return _native.scout_build_info()


def status_text(status: int) -> str:
    """The name of a status in words."""
    return _native.scout_status_text(status)


def status_name(status: int) -> str:
    """The name of a status as the C header spells it, "SCOUT_ERR_LIMIT" for instance."""
    return _native.scout_status_name(status)


__version__ = "0.1.0"
__all__ = [
    "ALPHA_DROP", "ALPHA_WHITE", "AgainError", "ArgumentError", "CancelledError", "Chat", "CorruptError", "DeniedError", "Device",
    "DeviceError", "Engine", "EngineOptions", "Event", "FormatError", "Frame", "Image", "ImageInfo", "ImageOptions",
    "InternalError", "IoError", "KV_BF16", "KV_F16", "KV_F32", "KV_Q8_0", "Layer", "LimitError", "LoadOptions", "Loading",
    "LogBridge", "LogLine", "Model", "ModelDevice", "NUMERICS_FAST", "NUMERICS_FLOAT32", "NUMERICS_INVARIANT", "NoMemoryError", "PACK_CHECK",
    "PACK_NONE", "PACK_USE", "PACK_WRITE", "RESIZE_PIL", "RESIZE_TORCHVISION", "Request", "RequestOptions", "STOP_CANCELLED",
    "STOP_END", "STOP_ERROR", "STOP_LENGTH", "STOP_NONE", "STOP_STRING", "ScoreBlock", "Scores", "ScoutError", "StateError",
    "Tensor", "TileOptions", "Tiling", "TruncatedError", "UnsupportedError", "Video", "VideoInfo", "VideoOptions", "build_info",
    "close_log", "devices", "load", "load_async", "load_start", "log_to", "next_log", "open_log", "status_name", "status_text",
    "tiling_of_size", "version",
]
