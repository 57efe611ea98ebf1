"""Pillow's process-wide switches, made each thread's own while it reads here.

Pillow warns through the module `warnings`, whose filters belong to the whole process, and compares
every size with one limit for all. A lock around them would make each reader wait for the slowest
one. So the two functions that Pillow calls ask the calling thread first; in threads that read
nothing here they are Pillow's own.
"""

import contextlib
import ctypes
import functools
import threading
import warnings
from collections.abc import Iterator
from typing import Any

from PIL import Image, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from pix2pix.errors import TooLarge


class _Thread(threading.local):
    max_pixels: int | None = None
    heard: list[str] | None = None


_thread = _Thread()
_pillows_check = Image._decompression_bomb_check


@contextlib.contextmanager
def reading(max_pixels: int) -> Iterator[list[str]]:
    """Collect this thread's warnings from Pillow in a list, and set its pixel limit.

    Pillow compares sizes with `max_pixels`, not with its own limit. Raises TooLarge where they are
    above.
    """
    before = _thread.max_pixels, _thread.heard
    _thread.max_pixels, _thread.heard = max_pixels, []
    try:
        yield _thread.heard
    finally:
        _thread.max_pixels, _thread.heard = before


def check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    """Raise TooLarge above the limit; the error names the flag that lifts it."""
    width, height = size
    if width * height > max_pixels:
        raise TooLarge(
            f"{width:,} x {height:,} pixels, more than the limit of {max_pixels:,} (--max-pixels)"
        )


def load_what_there_is(image: ImageFile.ImageFile) -> None:
    """Decode a picture up to where it is damaged.

    Pillow's own switch for this is process-wide: another thread would pass over damage, too.
    """
    try:
        image.load()
    except (OSError, SyntaxError):
        if not image.tile or image._im is None:
            raise
        image.tile = []  # what has been decoded stays
        with contextlib.suppress(Exception):
            image.load_end()


@functools.cache
def silence_libtiff() -> None:
    """Silence libtiff, which else writes a line to stderr about every broken strip."""
    with contextlib.suppress(OSError, AttributeError):  # linked statically, as on Windows
        library = ctypes.CDLL(Image.core.__file__)  # a symbol of its dependencies is found, too
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)


def _check(size: tuple[int, int]) -> None:
    if _thread.max_pixels is None:
        _pillows_check(size)
    else:
        check_pixels(size, _thread.max_pixels)


class _Warnings:
    """The module `warnings`, as Pillow's modules see it."""

    def warn(
        self,
        message: str | Warning,
        category: type[Warning] | None = None,
        stacklevel: int = 1,
        source: object = None,
        **options: Any,
    ) -> None:
        if _thread.heard is None:
            warnings.warn(message, category, stacklevel + 1, source, **options)
        else:
            _thread.heard.append(str(message))

    def __getattr__(self, name: str) -> Any:
        return getattr(warnings, name)


Image._decompression_bomb_check = _check
for _module in (Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin):
    vars(_module)["warnings"] = _Warnings()
