"""Pictures: for questions about them, and for looking at what a vision model takes of them."""
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple, Union

from . import _native
from ._handle import Handle, call_filling, ids_list
from ._options import native_options

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._model import Model
    from ._options import ImageOptions, TileOptions


class ImageInfo(NamedTuple):
    """What a picture is."""
    width: int  #: pixels, once turned
    height: int  #: pixels, once turned
    format: str  #: "PNG", "JPEG", "WebP", "video" for a frame, or "pixels"
    orientation: int  #: EXIF's number by which it was turned; 1: it was not


class Tiling(NamedTuple):
    """What a picture becomes."""
    rows: int  #: of the grid
    columns: int  #: of the grid
    tiles: int  #: rows * columns, and one more for the whole picture where that is more than one
    tile_side: int  #: pixels
    drawn_width: int  #: pixels of the canvas that the picture covers; the rest is black
    drawn_height: int  #: the same, down
    tokens: int  #: in a prompt, with the control tokens around and between the tiles
    tile_bytes: int  #: of one tile


def described(struct: str, call: Callable[[Any], Any], names: Tuple[str, ...]) -> Dict[str, Any]:
    """Members of a struct that a call fills in."""
    made = getattr(_native, "new_scout_" + struct)()
    try:
        call(made)
        return {name: getattr(_native, "scout_%s_%s_get" % (struct, name))(made) for name in names}
    finally:
        getattr(_native, "delete_scout_" + struct)(made)


def _tiling(options: Mapping[str, Any], call: Callable[[Any, Any], Any]) -> Tiling:
    with native_options("tile", options) as given:
        return Tiling(**described("tiling", lambda made: call(given, made), Tiling._fields))


def tiling_of_size(width: int, height: int, **options: "Unpack[TileOptions]") -> Tiling:
    """What a picture of a size, once turned, becomes, without its pixels. Options are those of TileOptions.

    >>> scout.tiling_of_size(1000, 600).tiles
    7
    """
    return _tiling(options, lambda given, made: _native.scout_tiling_of_size(_count(width, "width"), _count(height, "height"), given, made))


def model_tile_options(model: "Model") -> "TileOptions":
    """What Model.tile_options gives."""
    names = ("tile_side", "max_tiles", "patch_tokens", "resize", "threads")
    found: Any = described("tile_options", lambda made: model._call(_native.scout_model_get_tile_options, made), names)
    return found


def _count(value: Any, what: str) -> int:
    """A size: the library's own message for one that is too large, ours for what no size can be."""
    value = value.__index__()
    if not 0 <= value < 1 << 64:
        raise ValueError("%s is %d, must be 0 to 2^64 - 1" % (what, value))
    return value


def _as_pixels(pixels: Any, width: Optional[int], height: Optional[int], channels: Optional[int]) -> Tuple[bytes, int, int, int]:
    try:
        view = memoryview(pixels)
    except TypeError:
        raise TypeError("pixels is %s, expected bytes, or a buffer or NumPy array of them" % type(pixels).__name__) from None
    if view.format not in ("B", "c", "b") or view.ndim not in (1, 2, 3):
        raise TypeError("pixels has items %r in %d dimensions, expected bytes (uint8) of shape (height, width, channels) or (height, width)"
                        % (view.format, view.ndim))
    if view.ndim > 1:
        shape = view.shape + (1,) if view.ndim == 2 else view.shape
        for given, found, what in ((height, shape[0], "height"), (width, shape[1], "width"), (channels, shape[2], "channels")):
            if given is not None and given != found:
                raise ValueError("%s is %d, the array has %d" % (what, given, found))
        height, width, channels = shape
    if width is None or height is None:
        raise TypeError("pixels without a shape need width and height")
    return pixels if isinstance(pixels, bytes) else view.tobytes(), width, height, 3 if channels is None else channels


class Image(Handle):
    """A picture, which needs no model. Any number of threads may use it.

    >>> image = scout.Image.from_file("photo.jpg")
    >>> with scout.load("Llama-4-Scout.gguf", vision=True) as model:
    ...     chat = model.chat().user(image, "What is this?")
    """

    __slots__ = ()

    def _free(self, native_handle: Any) -> None:
        _native.scout_image_free(native_handle)

    @classmethod
    def from_pixels(cls, pixels: Any, width: Optional[int] = None, height: Optional[int] = None, channels: Optional[int] = None, *,
                    stride: int = 0, **options: "Unpack[ImageOptions]") -> "Image":
        """A picture of pixels, which are copied: a NumPy array of uint8, or any buffer, of shape (height, width, channels) or
        (height, width); or plain bytes with a width, a height, channels (3 unless said otherwise) and a stride, the bytes from a row to the next.
        1 channel is grey, 2 are grey and alpha, 3 are RGB, 4 are RGBA."""
        data, columns, rows, samples = _as_pixels(pixels, width, height, channels)
        with native_options("image", options) as made:
            return cls(_native.scout_image_from_pixels(data, _count(columns, "width"), _count(rows, "height"), _count(stride, "stride"),
                                                       samples, made)[1])

    @classmethod
    def from_bytes(cls, data: Union[bytes, bytearray, memoryview], **options: "Unpack[ImageOptions]") -> "Image":
        """A picture of the bytes of a PNG, JPEG or WebP file."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError("data is %s, expected the bytes of a file" % type(data).__name__)
        with native_options("image", options) as made:
            return cls(_native.scout_image_from_bytes(bytes(data), made)[1])

    @classmethod
    def from_file(cls, path: Union[str, bytes, "os.PathLike[str]"], **options: "Unpack[ImageOptions]") -> "Image":
        """A picture of a PNG, JPEG or WebP file. Its name does not matter."""
        with native_options("image", options) as made:
            return cls(_native.scout_image_from_file(os.fsencode(path), made)[1])

    @property
    def info(self) -> ImageInfo:
        """What the picture is."""
        return ImageInfo(**described("image_info", lambda made: self._call(_native.scout_image_get_info, made), ImageInfo._fields))

    @property
    def size(self) -> Tuple[int, int]:
        """Width and height in pixels, once turned."""
        return self.info[:2]

    def tiling(self, **options: "Unpack[TileOptions]") -> Tiling:
        """What the picture becomes. Nothing is computed of its pixels. Options are those of TileOptions."""
        return _tiling(options, lambda given, made: self._call(_native.scout_image_get_tiling, given, made))

    def tile(self, index: int, **options: "Unpack[TileOptions]") -> Any:
        """What a model sees of a tile: its pixels as uint8 of shape (tile_side, tile_side, 3), read only; a NumPy array where NumPy is
        installed, else a memoryview. The grid's tiles come row by row, the whole picture last. All tiles are made by the first call and kept
        until other options ask for others."""
        found = self.tiling(**options)
        with native_options("tile", options) as given:
            data = self._call(_native.scout_image_tile, given, _count(index, "index"), found.tile_bytes)[1]
        shape = (found.tile_side, found.tile_side, 3)
        try:
            import numpy
        except ImportError:
            return memoryview(data).cast("B", shape)
        return numpy.frombuffer(data, numpy.uint8).reshape(shape)

    def tokens(self, model: "Model", **options: "Unpack[TileOptions]") -> List[int]:
        """The ids that stand for the picture in a prompt of a model; a model's own tile options are Model.tile_options."""
        handle = model._enter()
        try:
            with native_options("tile", options) as given:
                return ids_list(call_filling(self, _native.scout_image_tokens, handle, given))
        finally:
            model._leave(handle)
