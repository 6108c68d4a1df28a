"""content: text is text. Markup that a chart's viewer might run, control characters and sizes that an EHR would cut off
are refused, never cleaned: what a reviewer sees is what is filed, and nothing is altered on the way.
"""

from __future__ import annotations

import base64
import binascii
import html
from collections.abc import Iterator

from headwater.errors import Refuse
from headwater.model import Resource
from headwater.outbound.policy import WritePolicy

_LAYOUT = "\n\r\t"


def content(resource: Resource, size: int, policy: WritePolicy) -> None:
    """`size` is that of the payload in bytes. Raises Refuse('content.*') with the element's path, never its text."""
    kind = resource["resourceType"]
    if size > policy.content.most_bytes:
        hint = f"{size} bytes; at most {policy.content.most_bytes} are sent"
        raise Refuse("content.too_large", place=kind, hint=hint)
    for path, text in _texts(resource, kind):
        if len(text) > policy.content.most_text and not path.endswith(".data"):
            hint = f"{len(text)} characters; at most {policy.content.most_text}"
            raise Refuse("content.too_long", place=path, hint=hint)
        _plain(path, _inside(text) if path.endswith("attachment.data") else text, policy)


def _plain(path: str, text: str, policy: WritePolicy) -> None:
    if any((character < " " and character not in _LAYOUT) or character == "\x7f" for character in text):
        raise Refuse("content.control_characters", place=path, hint="characters that no person can see")
    if policy.forbidden.search(html.unescape(text)):
        raise Refuse("content.markup", place=path, hint="markup that a viewer might run; send plain text")


def _inside(data: str) -> str:
    """The text of an attachment; a file that is no text (PDF, image) has nothing to look at here."""
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, f"{path}[{index}]")
