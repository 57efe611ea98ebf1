"""What became of a bad input: "OK" or the code of its error, and nothing besides."""

import ctypes
import gc
import io
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pix2pix.errors import PhotoError
from pix2pix.images import Photo, encode, read


@dataclass
class Outcome:
    """The code, the photo where there is one, the reason where there is none, and the seconds."""

    code: str
    photo: Photo | None
    reason: str
    seconds: float


def outcome(source: bytes | str | Path, **options: int | bool | None) -> Outcome:
    """Read `source`; where that works, write it too and check the copy.

    Any exception but a PhotoError is a failure of the test.
    """
    start = time.perf_counter()
    try:
        photo = read(source, **options)
    except PhotoError as error:
        return Outcome(error.code, None, error.reason, time.perf_counter() - start)
    seconds = time.perf_counter() - start
    check(photo)
    return Outcome("OK", photo, "", seconds)


def check(photo: Photo) -> None:
    """A valid photo, whose copy Pillow opens at the same size."""
    assert photo.rgb.dtype == np.uint8 and photo.rgb.ndim == 3 and photo.rgb.shape[2] == 3
    if photo.alpha is not None:
        assert photo.alpha.dtype == np.uint8 and photo.alpha.shape == photo.rgb.shape[:2]
    with Image.open(io.BytesIO(encode(photo.rgb, like=photo, model="test"))) as image:
        image.load()
        assert image.size == (photo.rgb.shape[1], photo.rgb.shape[0])


def peak_megabytes(function: Callable[[], object]) -> float:
    """The most memory that `function` holds above what the process held before, in MiB."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # of what earlier tests left
            gc.collect()
        with suppress(AttributeError):  # glibc: what is free is not held, to be taken unseen
            ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
        before = _status("VmRSS")
        function()
        return (_status("VmHWM") - before) / 1024
    except OSError:
        pytest.skip("this system does not tell a process its peak memory")


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise OSError(field)
