"""Errors with a code: every bad input ends as one line `path: code: reason`.

The command line prints that line, `--json` turns it into a record, the service into an HTTP answer.
"""

import os
import re
from pathlib import Path

TRAIN_NEEDS = "training needs: pip install 'pix2pix-color[train]'"
_COLORS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # a terminal's, which some libraries put in


def one_line(error: BaseException, *, lines: int = 1) -> str:
    """The first `lines` of a library's error as one plain line; its kind where it says nothing."""
    first = " ".join(_COLORS.sub("", str(error)).strip().splitlines()[:lines])
    said = "".join(c if c.isprintable() else " " for c in first)
    return " ".join(said.split()) or type(error).__name__


class Failure(Exception):
    """An expected error: `path: reason` for people, and one stable word, `code`, for programs.

    `path` is what it is about where that is known: a file, a folder, the name of weights.
    """

    code = "error"
    again = False
    """Whether the same may work another time: it was no fault of what it is about."""

    def __init__(self, reason: str, path: str | Path | None = None, *, again: bool | None = None):
        super().__init__(reason)
        self.reason = reason
        self.path = None if path is None else os.fspath(path)
        if again is not None:  # else as its class says
            self.again = again

    def __str__(self) -> str:
        return self.reason if self.path is None else f"{self.path}: {self.reason}"


class PhotoError(Failure):
    """A photo that cannot be read, colored or written."""

    def __str__(self) -> str:
        """`code: reason`, with the path in front when it is known."""
        line = f"{self.code}: {self.reason}"
        return line if self.path is None else f"{self.path}: {line}"


class Unreadable(PhotoError):
    """Empty, missing, vanished while reading, or no regular file."""

    code = "unreadable"


class Truncated(PhotoError):
    """The file ends before the picture does."""

    code = "truncated"


class Corrupt(PhotoError):
    """The format is known, its bytes are broken."""

    code = "corrupt"


class UnsupportedFormat(PhotoError):
    """Not one of the picture formats that are read here."""

    code = "unsupported_format"


class UnsupportedMode(PhotoError):
    """A known format in a pixel layout that is not read here."""

    code = "unsupported_mode"


class InvalidPixels(PhotoError):
    """Pixel values that are no colors: NaN or infinity."""

    code = "invalid_pixels"


class TooLarge(PhotoError):
    """More pixels or bytes than the limit; the reason names limit and flag."""

    code = "too_large"


class TookTooLong(PhotoError):
    """Decoding or coloring went past its deadline."""

    code = "timeout"


class NotPermitted(PhotoError):
    """The file system refused reading or writing."""

    code = "permission"


class NoSpace(PhotoError):
    """The disk is full."""

    code = "no_space"
    again = True


class NotEncoded(PhotoError):
    """The library that writes the output format failed, with metadata and without."""


class BadHint(PhotoError, ValueError):
    """A hint that is no point of the photo, or no color."""

    code = "hint"


class BadReference(PhotoError, ValueError):
    """A photo to take colors from that has none, or a net that cannot take them."""

    code = "reference"


class DataError(Failure, ValueError):
    """Photos that cannot be used: none, all gray, too many broken, no download."""

    code = "unreadable"


class WeightsError(Failure, ValueError):
    """A weights file that cannot be used."""

    code = "weights"


class ExportError(Failure, ValueError):
    """Something could not be exported; the reason says what to do."""

    code = "export"


class SettingError(Failure, ValueError):
    """A setting that cannot work; the reason names it and the fix."""

    code = "setting"


class CheckpointError(Failure, RuntimeError):
    """A checkpoint that cannot be written, read or used."""

    code = "checkpoint"


class Diverged(Failure, RuntimeError):
    """The loss or its gradient was NaN or infinite several steps in a row."""

    code = "diverged"
