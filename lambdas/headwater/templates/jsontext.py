"""Template text that is JSON: where strings begin and end, which whitespace is only layout, which commas are structure.

The compiler runs the template's own text through a `JsonText`, so that all this is done once and never for data. Commas
between values become `MARK`, a character that neither template nor data can otherwise bring into the output; `tidy`
can then collapse spare commas by plain search and replace, without looking into strings.
"""

from __future__ import annotations

import re

MARK = "\x01"
_SPARE = re.compile(r"(?<=[{\[\x01])\x01+|\x01+(?=[}\]])")

_IN_STRING = re.compile(r'(?:[^"\\]|\\.)*', re.DOTALL)
_OUTSIDE = re.compile(r'[^"]*')
_LAYOUT = re.compile(r" ?([{}\[\],:]) ?")
_ITEM = re.compile(r'(?P<before>.*[\[\x01])(?P<opening>")\Z', re.DOTALL)


class JsonText:
    """The reading state at one point of a JSON template: inside a string or between values."""

    def __init__(self, in_string: bool) -> None:
        self.in_string = in_string

    def read(self, text: str) -> str:
        """The next piece of text, without its layout, its structural commas marked."""
        pieces, position = [], 0
        text = text.replace(MARK, " ")
        while position < len(text):
            match = (_IN_STRING if self.in_string else _OUTSIDE).match(text, position)
            end = match.end() if match else position
            piece = text[position:end]
            pieces.append(piece if self.in_string else self._outside(piece))
            if end == len(text):
                break
            if text[end] == "\\":  # a lone backslash right before an output
                pieces.append("\\")
            else:
                pieces.append('"')
                self.in_string = not self.in_string
            position = end + 1
        return "".join(pieces)

    @staticmethod
    def _outside(piece: str) -> str:
        marked = _LAYOUT.sub(r"\1", " ".join(piece.split())).replace(",", MARK)
        return _SPARE.sub("", marked)


def split_optional(before: str, after: str) -> tuple[str, str, str, str] | None:
    """If one output between these two texts is a whole string value, so that the value can be left out when empty:
    the text before it, its opening (`"key":"`), its closing (`"` and perhaps a comma), and the text after.

    Empties are dropped from the result anyway; not writing them saves parsing them.
    """
    if not after.startswith('"'):
        return None
    close = 2 if after.startswith('"' + MARK) else 1
    key = before.rfind('":"')
    if key >= 0 and key == len(before) - 3:
        start = _key_start(before, key)
        if start is not None:
            return before[:start], before[start:], after[:close], after[close:]
    match = _ITEM.match(before)
    if match and (close == 2 or after[1:2] == "]"):
        return match["before"], match["opening"], after[:close], after[close:]
    return None


def _key_start(text: str, end: int) -> int | None:
    """Where the key begins that is closed at `end`; None if it has escapes (then it is not worth it)."""
    start = text.rfind('"', 0, end)
    return start if start >= 0 and "\\" not in text[max(start - 1, 0) : end] else None
