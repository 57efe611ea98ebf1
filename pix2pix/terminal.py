"""Terminal output: standard streams that work, and text that their encoding can print.

Standard streams come closed by a service, broken by a reader, or of an old encoding; text is made
to fit a terminal, a pipe or a file whose encoding lacks some of its characters.
"""

import contextlib
import io
import os
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


def prepare() -> None:
    """Make stdin, stdout and stderr usable, whatever started this process.

    Closed ones (`>&-`, cron, pythonw) become the null device: else the next file that is opened
    takes their place, and receives what is printed. What an encoding lacks is printed as `\\u5199`.
    """
    # upwards: Python has None for each that is closed, and the system gives the lowest that is free
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def drop_broken() -> None:
    """Point stdout and stderr, where they are broken pipes, to the null device.

    What is left in their buffers would else raise again when Python exits.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)


def is_live() -> bool:
    """Whether stderr is redrawn in place: on a terminal, or in a notebook's kernel."""
    ipython = sys.modules.get("IPython")
    in_kernel = ipython is not None and hasattr(ipython.get_ipython(), "kernel")
    return sys.stderr.isatty() or in_kernel


def spell(text: str, encoding: str | None) -> str:
    """Replace what `encoding` lacks by ASCII: Δ is delta, é is e, 中 is \\u4e2d.

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


def escape(text: str) -> str:
    """Escape control characters, RTL overrides and odd bytes: one line, \\x1b for ESC."""
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


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
