"""Conversations."""
from __future__ import annotations

from typing import Any, List, Union

from . import _native
from ._handle import Handle, Text, call_filling, ids_list, text_bytes
from ._request import Request

ROLES = {"system": _native.SCOUT_ROLE_SYSTEM, "user": _native.SCOUT_ROLE_USER, "assistant": _native.SCOUT_ROLE_ASSISTANT, "tool": _native.SCOUT_ROLE_TOOL}


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

    def add(self, role: Union[str, int], text: Text) -> "Chat":
        """Adds a message: role is "system", "user", "assistant" or "tool"."""
        self._call(_native.scout_chat_add, _role(role), text_bytes(text))
        return self

    def system(self, text: Text) -> "Chat":
        """Adds a system message, which comes first or not at all."""
        return self.add("system", text)

    def user(self, text: Text) -> "Chat":
        """Adds a user's message."""
        return self.add("user", text)

    def assistant(self, text: Text) -> "Chat":
        """Adds an assistant's message as text; add_answer keeps the exact tokens."""
        return self.add("assistant", text)

    def begin(self, role: Union[str, int]) -> "Chat":
        """Begins a message to which add_text adds parts."""
        self._call(_native.scout_chat_begin, _role(role))
        return self

    def add_text(self, text: Text) -> "Chat":
        """Adds text to the message that begin() began."""
        self._call(_native.scout_chat_add_text, text_bytes(text))
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
