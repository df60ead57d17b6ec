"""Conversations."""
from __future__ import annotations

from typing import Any, List, Union

from . import _native
from ._handle import Handle, Text, call_filling, ids_list, text_bytes
from ._image import Image
from ._request import Request
from ._video import Frame, Video

Part = Union[Text, Image, Frame, Video]

ROLES = {"system": _native.SCOUT_ROLE_SYSTEM, "user": _native.SCOUT_ROLE_USER, "assistant": _native.SCOUT_ROLE_ASSISTANT, "tool": _native.SCOUT_ROLE_TOOL}

_SEEN = (Image, Frame, Video)


def _role(role: Union[str, int]) -> int:
    if isinstance(role, str):
        if role not in ROLES:
            raise ValueError("role is %r, expected one of %s" % (role, ", ".join(ROLES)))
        return ROLES[role]
    return role


class Chat(Handle):
    """A conversation in the model's chat format. Text given here can never become control tokens.

    To be used by one thread at a time. Methods that add return the chat, so that they can be chained."""

    __slots__ = ()

    def _free(self, native_handle: Any) -> None:
        _native.scout_chat_free(native_handle)

    def add(self, role: Union[str, int], *parts: Part) -> "Chat":
        """Adds a message of a text, or of several parts: texts, pictures, frames and clips in their order. role is "system", "user",
        "assistant" or "tool". When a picture is refused, the message holds what came before it."""
        if len(parts) == 1 and not isinstance(parts[0], _SEEN):
            self._call(_native.scout_chat_add, _role(role), text_bytes(parts[0]))
            return self
        if not parts:
            raise TypeError("a message has at least one part")
        given = [part if isinstance(part, _SEEN) else text_bytes(part) for part in parts]  # refused before the message is begun
        self.begin(role)
        for part in given:
            if isinstance(part, Image):
                self.add_image(part)
            elif isinstance(part, Frame):
                self.add_frame(*part)
            elif isinstance(part, Video):
                self.add_video(part)
            else:
                self.add_text(part)
        return self

    def system(self, text: Text) -> "Chat":
        """Adds a system message, which comes first or not at all."""
        return self.add("system", text)

    def user(self, *parts: Part) -> "Chat":
        """Adds a user's message: a text, or texts, pictures, frames and clips in their order.

        >>> chat.user(scout.Image.from_file("photo.jpg"), "What is this?")
        """
        return self.add("user", *parts)

    def assistant(self, text: Text) -> "Chat":
        """Adds an assistant's message as text; add_answer keeps the exact tokens."""
        return self.add("assistant", text)

    def begin(self, role: Union[str, int]) -> "Chat":
        """Begins a message to which add_text, add_image, add_frame and add_video add parts."""
        self._call(_native.scout_chat_begin, _role(role))
        return self

    def add_text(self, text: Text) -> "Chat":
        """Adds text to the message that begin() began."""
        self._call(_native.scout_chat_add_text, text_bytes(text))
        return self

    def add_image(self, image: Image) -> "Chat":
        """Adds a picture to the message that begin() began, at this place among its texts. The chat keeps what it needs: the picture may be
        closed. Any message but the system's may hold pictures. UnsupportedError says why when the model was loaded without a vision tower
        (load(..., vision=True))."""
        handle = image._enter()
        try:
            self._call(_native.scout_chat_add_image, handle)
        finally:
            image._leave(handle)
        return self

    def add_frame(self, image: Image, time_us: int, max_tiles: int = 0) -> "Chat":
        """Adds a frame to the message that begin() began: its time as text, "[1.0 s]", and directly behind it the picture, in at most
        max_tiles tiles (0 = 1)."""
        handle = image._enter()
        try:
            self._call(_native.scout_chat_add_frame, handle, time_us, max_tiles)
        finally:
            image._leave(handle)
        return self

    def add_video(self, video: Video) -> "Chat":
        """Adds the frames of a clip that were not taken yet to the message that begin() began, each with its time before it. After a failure
        the message is as before. Video.cancel in another thread ends it."""
        handle = video._enter()
        try:
            self._call(_native.scout_chat_add_video, handle)
        finally:
            video._leave(handle)
        return self

    def add_answer(self, request: Request) -> "Chat":
        """Adds a finished request's answer: exactly the tokens that were generated, so that the next turn finds the pages of this one."""
        handle = request._enter()
        try:
            self._call(_native.scout_chat_add_answer, handle)
        finally:
            request._leave(handle)
        return self

    @property
    def tokens(self) -> List[int]:
        """The token ids of the conversation, with the beginning of the assistant's answer."""
        return ids_list(call_filling(self, _native.scout_chat_tokens))

    def __len__(self) -> int:
        """The number of messages."""
        return self._call(_native.scout_chat_count)[1]

    def __bool__(self) -> bool:
        return True
