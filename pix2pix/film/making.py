"""Making: one film from its source to its output, part by part.

The output appears under its name when it is whole. Until then all lies in a hidden folder beside
it (parts.py), which a killed run leaves for the next one.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from typing import Any

import av
import numpy as np

from pix2pix import __version__, strips
from pix2pix.colorize.incolor import in_color, remarks
from pix2pix.errors import Corrupt, TooLarge
from pix2pix.film import encoding, names
from pix2pix.film.coloring import Look, Painter
from pix2pix.film.encoding import Coding
from pix2pix.film.frames import Frames
from pix2pix.film.joining import Joined
from pix2pix.film.parts import FRAMES, Part, Workplace
from pix2pix.film.picture import describe
from pix2pix.film.reading import open_film
from pix2pix.film.steady import Steady
from pix2pix.film.survey import Survey
from pix2pix.images import orientation

_LOOKED_AT = 100  # frames at the start, of which one shows whether the film is in color
_SEEN_SIZE = 256, 192
_FORMAT = 1  # of plans
Progress = Callable[[int], object]
"""Is called with the number of frames that have been colored since the last call."""


@dataclass(frozen=True)
class Source:
    """A film to be colored, and how its copy is written."""

    path: str
    survey: Survey
    coding: Coding
    turned: int
    """How players turn and mirror the picture, by EXIF's orientation, 1 to 8."""
    in_color: bool
    remarks: list[str]


def look_at(path: str, survey: Survey, container: str, max_pixels: int) -> Source:
    """Look at the first frames of a film. Raises PhotoError."""
    with open_film(path) as (film, stream):
        frames = Frames(film, stream)
        first, shown = None, None
        with closing(iter(frames)) as decoded:
            for frame in islice(decoded, _LOOKED_AT):
                if first is None:
                    first = frame
                    _check_size(frame, max_pixels)
                    picture, matrix = describe(frame, stream), _matrix(frame)
                shown = _as_rgb(frame)
                if shown.std() > 8:  # not the black before the film
                    break
        if first is None or shown is None:
            raise Corrupt("no frame of it can be decoded")
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        coding = encoding.choose(
            container,
            picture,
            rate=rate,
            clock=stream.time_base or Fraction(1, 1000),
            aspect=stream.sample_aspect_ratio or Fraction(1),
            matrix=matrix,
            threads=strips.share(),
        )
    said = coding.remarks() + remarks(shown)
    if survey.cut is not None:
        said.append(f"the film is cut: {survey.cut}")
    return Source(path, survey, coding, _turned(matrix), in_color(shown), said)


def make(
    source: Source, dest: str, look: Look, place: Workplace, *, keep_gps: bool, tick: Progress
) -> tuple[str, list[str]]:
    """Make the film in its workplace -> the path of the whole file there, and warnings."""
    plan = _plan(source, dest, look)
    done = place.plan(plan)
    coding = replace(source.coding, threads=plan["threads"])
    finished = sum(part.frames for part in done)
    tick(finished)
    with open_film(source.path) as (film, stream):
        frames = Frames(film, stream)
        painter = Painter(look, coding.picture, source.turned, Steady.resumed(place.state))
        painted = painter.paint(frames, skip=finished)
        with closing(painted):
            last_duration = _encode(painted, coding, done, place, painter.steady, tick)
        said = frames.remarks() + painter.lost
    if not done:
        raise Corrupt("no frame of it can be decoded")
    whole = os.path.join(place.folder, "whole")
    joined = Joined(
        source.path,
        done,
        coding,
        names.container(dest),
        last_duration or _usual(coding),
        look.model.name,
        keep_gps,
    )
    return whole, source.remarks + said + joined.write(whole)


def publish(whole: str, dest: str, source: os.stat_result | None) -> None:
    """Give a whole film its name, and its source's time and permissions. Raises OSError."""
    if source is not None:
        mode = stat.S_IMODE(source.st_mode) & 0o777 & ~_umask()
        if os.stat(whole).st_gid != source.st_gid:
            mode &= 0o707 | (mode & 0o007) << 3
        os.chmod(whole, mode)
        os.utime(whole, ns=(source.st_atime_ns, source.st_mtime_ns))
    os.replace(whole, dest)


def _encode(
    painted: Iterator[Any],
    coding: Coding,
    done: list[Part],
    place: Workplace,
    steady: Steady,
    tick: Progress,
) -> int:
    """Encode frames into parts, appended to those `done` -> the duration of the last frame."""
    duration = 0
    while (first := next(painted, None)) is not None:
        number, count, start = len(done), 0, first.pts
        with open(place.part(number), "wb") as file:
            with encoding.open_part(file) as container:
                video = encoding.add_stream(container, coding)
                for frame in _and(first, islice(painted, FRAMES - 1)):
                    frame.time_base = coding.clock
                    duration = frame.duration
                    container.mux(video.encode(frame))
                    count += 1
                    tick(1)
                container.mux(video.encode(None))
            file.flush()
            os.fsync(file.fileno())
        done.append(place.finish(number, count, start, steady.state()))
    return duration


def _and(first: Any, others: Iterable[Any]) -> Iterator[Any]:
    yield first
    yield from others


def _plan(source: Source, dest: str, look: Look) -> dict[str, Any]:
    """What the frames of an output depend on."""
    status = os.stat(source.path)
    with open(source.path, "rb") as file:
        start = hashlib.sha256(file.read(2**20)).hexdigest()
    wish, model = look.wish, look.model
    like = None if wish.like is None else hashlib.sha256(wish.like.pixels).hexdigest()
    coding = source.coding
    return {
        "plan": _FORMAT,
        "versions": [__version__, av.__version__, str(av.library_versions)],
        "source": [status.st_size, status.st_mtime_ns, start, source.survey.frames],
        "output": os.path.basename(dest),
        "wish": [wish.saturation, wish.seed, wish.temperature, like],
        "hints": [timed.text for timed in look.hints],
        "model": [model.name, model.engine.kind, _answer(look)],
        "coding": [coding.codec, coding.picture.format, str(coding.clock), FRAMES],
        "threads": coding.threads,
    }


def _answer(look: Look) -> str:
    """A digest of what the net makes of a ramp: other weights, or another engine, say other."""
    ramp = np.linspace(0, 255, 96 * 128).reshape(96, 128).astype(np.uint8)
    ab = look.model.predict(np.broadcast_to(ramp[..., None], (96, 128, 3)))
    return hashlib.sha256(ab.tobytes()).hexdigest()


def _usual(coding: Coding) -> int:
    """The usual duration of a frame, in ticks."""
    return max(1, round(1 / coding.rate / coding.clock))


def _check_size(frame: av.VideoFrame, most: int) -> None:
    pixels = frame.width * frame.height
    if pixels > most:
        raise TooLarge(f"{pixels:,} pixels a frame, above the limit of {most:,} (--max-pixels)")


def _as_rgb(frame: av.VideoFrame) -> np.ndarray:
    """A frame in small, as sRGB (H, W, 3) uint8."""
    width, height = _SEEN_SIZE
    return frame.reformat(width, height, "rgb24").to_ndarray()


def _matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """The display matrix of a film, by which players turn it, or None."""
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return None
    values = tuple(np.frombuffer(data, np.int32).tolist())
    return values if len(values) == 9 else None


def _turned(matrix: tuple[int, ...] | None) -> int:
    """EXIF's orientation, 1 to 8, that is next to a display matrix.

    Its rows a b u, c d v, x y w put column p and row q of the picture to the column a p + c q + x
    and the row b p + d q + y. Source: ISO/IEC 14496-12, 6.2.2
    """
    if matrix is None:
        return 1
    a, b, _, c, d = matrix[:5]
    aside = abs(b) + abs(c) > abs(a) + abs(d)
    mirrored, upside = (c < 0, b < 0) if aside else (a < 0, d < 0)
    return orientation.number(transposed=aside, upside_down=upside, mirrored=mirrored)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
