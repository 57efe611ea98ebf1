"""Spelling: text for a terminal, a pipe or a file whose encoding lacks some of its characters."""

import sys
import unicodedata
from typing import TextIO

_SPELLED = {
    "Δ": "delta",
    "±": "+-",
    "×": "x",
    "→": "->",
    "≥": ">=",
    "≤": "<=",
    "–": "-",
    "—": "-",
    "−": "-",
    "…": "...",
    "°": " deg",
    "²": "^2",
}  # the signs of our own tables and lines


def spell(text: str, encoding: str | None) -> str:
    """`text` with ASCII in the place of what `encoding` lacks: Δ is delta, é is e, 中 is \\u4e2d.

    None is an encoding that has everything, such as that of a `StringIO`.
    """
    if encoding is None or _has(text, encoding):
        return text
    return "".join(c if _has(c, encoding) else _spelled(c) for c in text)


def put(text: str, file: TextIO | None = None) -> None:
    """Print a line to `file`, by default stdout, in characters that it has: no encoding fails."""
    file = file or sys.stdout
    print(spell(text, encoding_of(file)), file=file)


def encoding_of(file: TextIO | None) -> str | None:
    """The encoding of a stream; None where it has none."""
    return getattr(file, "encoding", None)


def _has(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _spelled(character: str) -> str:
    if character in _SPELLED:
        return _SPELLED[character]
    base = unicodedata.normalize("NFD", character)[0]
    return base if base.isascii() else character.encode("ascii", "backslashreplace").decode()
