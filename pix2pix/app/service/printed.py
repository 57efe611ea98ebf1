"""Redirect what libraries print: the log says that they did and where, never what.

Gradio prints its troubles, visitors' values and names of files included, and so may any library.
"""

import io
import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TextIO

_log = logging.getLogger("pix2pix.serve")
_OURS = str(Path(__file__).parents[2])  # the folder of the package
_LOGGED = "_pix2pix_logged"  # mark of an exception


@contextmanager
def nothing_printed() -> Iterator[None]:
    """Within, only `say` writes to stdout, and only the log to stderr."""
    before = (
        (sys, "stdout", sys.stdout),
        (sys, "stderr", sys.stderr),
        (sys, "unraisablehook", sys.unraisablehook),
        (threading, "excepthook", threading.excepthook),
        (warnings, "showwarning", warnings.showwarning),
        (logging, "raiseExceptions", logging.raiseExceptions),
    )
    sys.stdout, sys.stderr = _Printed(sys.stdout), _Printed(sys.stderr)
    sys.unraisablehook = lambda it: log_exception(it.exc_value)
    threading.excepthook = lambda it: log_exception(it.exc_value)
    warnings.showwarning = _log_warning  # type: ignore[assignment]
    logging.raiseExceptions = False  # of a log that cannot be written, by printing to stderr
    try:
        yield
    finally:
        for place, name, value in before:
            setattr(place, name, value)


def say(text: str) -> None:
    """Print a line of our own."""
    print(text, file=true_stream(sys.stdout), flush=True)


def true_stream(stream: TextIO) -> TextIO:
    """The original of a stream that `nothing_printed` replaced; else the stream itself."""
    return stream.behind if isinstance(stream, _Printed) else stream


def log_exception(error: BaseException | None) -> None:
    """Log an exception that somebody printed: a fault where our own code is in it, else a warning.

    Once: a traceback comes line by line, and again where it is raised anew.
    """
    if error is None or getattr(error, _LOGGED, False):
        return
    with suppress(Exception):  # some exceptions take no attributes
        setattr(error, _LOGGED, True)
    frames = traceback.extract_tb(error.__traceback__)
    ours = any(frame.filename.startswith(_OURS) for frame in frames)
    trace: tuple[type[BaseException], BaseException, TracebackType | None]
    trace = type(error), error, error.__traceback__
    _log.log(logging.ERROR if ours else logging.WARNING, "an exception was printed", exc_info=trace)


class _Printed(io.TextIOBase, TextIO):
    """A stream whose text goes nowhere; that there was some is logged."""

    def __init__(self, behind: TextIO):
        self.behind = behind

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        error = sys.exception()
        if error is not None:
            log_exception(error)
        elif text.strip():
            _log.warning("printed", extra={"fields": {"at": _caller()}})
        return len(text)


def _caller() -> str:
    """The file and line that printed."""
    frame = sys._getframe(2)
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _log_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object
) -> None:
    fields = {"warning": category.__name__, "at": f"{filename}:{lineno}"}
    _log.warning("warned", extra={"fields": fields})
