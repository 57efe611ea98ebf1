"""One run: a mutated file is read, what is read is written, what is written is read again."""

import io
import random
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from fuzz.mutate import mutated
from fuzz.seeds import seeds
from pix2pix import images
from pix2pix.errors import PhotoError, UnsupportedFormat
from pix2pix.images import formats

_LARGEST_WRITTEN = 2**20  # pixels; larger ones say nothing more and take most of the time


class Run(NamedTuple):
    """What run number `index` reads: always the same for the same seed number."""

    name: str
    format: str
    data: bytes
    rng: random.Random


@dataclass
class Verdict:
    """How reading and writing ended: "ok", a code of a typed error, or FAULT and what it was."""

    format: str
    read: str
    write: str = ""
    megapixels: float = 0.0

    @property
    def fault(self) -> str:
        """The fault's kind, "" if there is none."""
        return next((x for x in (self.read, self.write) if x.startswith(FAULT)), "")


FAULT = "fault: "


def run(seed: int, index: int) -> Run:
    """The file of one run."""
    rng = random.Random(seed * 1_000_003 + index)
    names = _by_format()
    format = rng.choice(sorted(names))
    name, another = rng.choice(names[format]), rng.choice(names[format])
    data = mutated(rng, format, seeds()[name][1], seeds()[another][1])
    return Run(name, format, data, rng)


def _by_format() -> dict[str, list[str]]:
    if not _NAMES:
        for name, (format, _) in seeds().items():
            _NAMES.setdefault(format, []).append(name)
    return _NAMES


_NAMES: dict[str, list[str]] = {}


def writable() -> list[str]:
    """The formats that are written."""
    found = []
    for name in sorted(set(formats.EXTENSIONS.values())):
        try:
            found.append(formats.writable_format(name))
        except UnsupportedFormat:
            continue
    return found


def judge(data: bytes, format: str, rng: random.Random) -> Verdict:
    """Read `data`; what is read is written in its own or another format and opened by Pillow.

    A Python warning that gets out is a fault, too: it would be a line on the user's screen.
    """
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        verdict = _judge(data, format, rng)
    if heard and not verdict.fault:
        first = heard[0]
        place = f"{Path(first.filename).name}:{first.lineno}"
        verdict.read = f"{FAULT}{first.category.__name__} at {place}"
    return verdict


def _judge(data: bytes, format: str, rng: random.Random) -> Verdict:
    try:
        photo = images.read(data, allow_truncated=rng.random() < 0.15)
    except PhotoError as error:
        return Verdict(format, error.code)
    except Exception as error:
        return Verdict(format, FAULT + _kind("read", error))
    verdict = Verdict(format, "ok", megapixels=photo.rgb.size / 3e6)
    if reason := _odd(photo):
        verdict.read = FAULT + reason
    elif photo.rgb.size <= 3 * _LARGEST_WRITTEN:
        own = rng.random() < 0.5
        name = images.output_format(photo)[0] if own else rng.choice(writable())
        verdict.write = _written(photo, name, rng)
    return verdict


def _odd(photo: images.Photo) -> str:
    """What is wrong with a photo that was read, "" if nothing is."""
    rgb, alpha = photo.rgb, photo.alpha
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or not rgb.size:
        return f"read: rgb is {rgb.shape} {rgb.dtype}"
    if alpha is not None and (alpha.dtype != np.uint8 or alpha.shape != rgb.shape[:2]):
        return f"read: alpha is {alpha.shape} {alpha.dtype}"
    return "" if photo.format in images.READABLE else f"read: format {photo.format}"


def _written(photo: images.Photo, name: str, rng: random.Random) -> str:
    """ "ok", a code or a fault. The photo's own pixels stand for the colored ones."""
    options = {"like": photo, "model": "fuzz", "format": name, "keep_gps": rng.random() < 0.5}
    try:
        if rng.random() < 0.5:
            data = images.encode(photo.rgb, **options)
        else:
            stream = io.BytesIO()
            images.write(photo.rgb, stream, **options)
            data = stream.getvalue()
    except PhotoError as error:
        return error.code
    except Exception as error:
        return FAULT + _kind(f"write {name}", error)
    height, width = photo.rgb.shape[:2]
    try:
        with warnings.catch_warnings(action="ignore"):
            image = Image.open(io.BytesIO(data), formats=[name])
            image.load()
            image.getexif()
            if image.size != (width, height):
                return f"{FAULT}{name} written in another size"
    except Exception as error:
        return f"{FAULT}{name} written, not opened by Pillow: {type(error).__name__}"
    return "ok"


def _kind(what: str, error: Exception) -> str:
    """The exception's type, the line of pix2pix that met it and the line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/pix2pix/" in frame.filename]
    places = [f"{Path(f.filename).name}:{f.lineno}" for f in (*ours[-1:], frames[-1])]
    return f"{what}: {type(error).__name__} at {', '.join(dict.fromkeys(places))}"
