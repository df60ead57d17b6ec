"""Clips: their frames as pictures, each with its time."""
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Iterator, NamedTuple, Optional, Union

from . import _native
from ._handle import Handle
from ._image import Image, described
from ._options import native_options

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import VideoOptions


class VideoInfo(NamedTuple):
    """What a clip is."""
    width: int  #: of a frame, once turned, in pixels
    height: int  #: of a frame, once turned, in pixels
    duration_us: int  #: microseconds
    frame_rate: float  #: frames a second of the clip; 0: it does not say
    frames: int  #: that are chosen; as many come, or fewer
    orientation: int  #: EXIF's number by which frames are turned; 1: they are not
    container: str  #: "MP4", "QuickTime", "Matroska" or "WebM"
    codec: str  #: "H.264", "HEVC", "VP8", "VP9", "AV1" or "MJPEG"
    decoder: str  #: FFmpeg's name of the decoder
    library: str  #: FFmpeg's versions and the licence that its build is under


class Frame(NamedTuple):
    """A picture with its time: a part of a message. Any picture will do; those of a Video come with their times."""
    image: Image
    time_us: int  #: when it is shown, microseconds from the clip's start, at least 0
    max_tiles: int = 0  #: of the picture in a chat, 1 to 256; 0 = 1


class Video(Handle):
    """A clip, which needs no model: the frames that its options choose, in the order of their times, once. One a second unless said
    otherwise; options are those of VideoOptions. One thread at a time takes frames.

    >>> with scout.Video.from_file("clip.mp4", fps=2) as video:
    ...     for image, time_us, _ in video:
    ...         print(time_us / 1e6, image.size)
    >>> with scout.load("Llama-4-Scout.gguf", vision=True) as model, scout.Video.from_file("clip.mp4") as video:
    ...     chat = model.chat().user(video, "What happens here?")
    """

    __slots__ = ("_max_tiles",)

    def __init__(self, native_handle: Any, max_tiles: int) -> None:
        super().__init__(native_handle)
        self._max_tiles = max_tiles

    def _free(self, native_handle: Any) -> None:
        _native.scout_video_free(native_handle)

    def _interrupt(self, native_handle: Any) -> None:
        _native.scout_video_cancel(native_handle)

    @classmethod
    def from_file(cls, path: Union[str, bytes, "os.PathLike[str]"], **options: "Unpack[VideoOptions]") -> "Video":
        """Opens an MP4, QuickTime, Matroska or WebM file, which stays open until close(). Its name does not matter. UnsupportedError names
        another container or codec, and says when the library's plug-in for video is missing."""
        with native_options("video", options) as made:
            return cls(_native.scout_video_open(os.fsencode(path), made)[1], options.get("max_tiles", 0))

    @classmethod
    def from_bytes(cls, data: Union[bytes, bytearray, memoryview], **options: "Unpack[VideoOptions]") -> "Video":
        """Opens the bytes of such a file, which are copied."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError("data is %s, expected the bytes of a file" % type(data).__name__)
        with native_options("video", options) as made:
            return cls(_native.scout_video_from_bytes(bytes(data), made)[1], options.get("max_tiles", 0))

    @property
    def info(self) -> VideoInfo:
        """What the clip is."""
        return VideoInfo(**described("video_info", lambda made: self._call(_native.scout_video_get_info, made), VideoInfo._fields))

    def next(self) -> Optional[Frame]:
        """The next frame; None at the end. After a failure every further call fails as the first did."""
        _, image, time_us = self._call(_native.scout_video_next)
        return None if image is None else Frame(Image(image), time_us, self._max_tiles)

    def __iter__(self) -> Iterator[Frame]:
        """The frames that were not taken yet."""
        while True:
            frame = self.next()
            if frame is None:
                return
            yield frame

    def cancel(self) -> None:
        """Ends the call under way in another thread, soon, and those that follow, with CancelledError."""
        self._call(_native.scout_video_cancel)
