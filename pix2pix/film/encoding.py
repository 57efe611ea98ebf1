"""Encoding: which codec writes the colored frames, how well, and with which tags.

What is lost is meant not to be seen. No frame refers to a later one: times of packets are those of
frames then, in any container, and parts of a film join without a seam.
"""

import os
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, BinaryIO

import av
from av.codec.context import Flags
from av.video.stream import VideoStream

from pix2pix.errors import UnsupportedFormat
from pix2pix.film.picture import Picture

# What each codec is asked for, and the pixel formats that it takes here. x264's macroblock tree
# reads memory that nobody wrote, where AVX-512 takes the end of a row (seen at widths of 64, 144
# and 272): the same frames then come out otherwise now and then.
_OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"crf": "17", "preset": "veryfast", "bf": "0", "mbtree": "0"},
    "libx265": {
        "crf": "17",
        "preset": "veryfast",
        "bf": "0",
        "x265-params": "log-level=none:bframes=0:repeat-headers=0",
    },
    "libvpx-vp9": {"crf": "20", "b": "0", "cpu-used": "4", "row-mt": "1", "lag-in-frames": "0"},
    "libsvtav1": {"crf": "22", "preset": "8"},
    "mpeg4": {"qscale": "2"},
}
_CHOICE = {  # by container: the first that is there and takes so many bits
    "webm": ("libvpx-vp9", "libsvtav1"),
    "matroska": ("libx264", "libx265", "libsvtav1", "mpeg4"),
    "mp4": ("libx264", "libx265", "libsvtav1", "mpeg4"),
    "mov": ("libx264", "libx265", "mpeg4"),
}
_MOST_TICKS = 65535  # of a second, for MPEG-4's clock


@dataclass(frozen=True)
class Coding:
    """How a film is written."""

    codec: str
    picture: Picture
    rate: Fraction
    """Frames a second, on average."""
    clock: Fraction
    """[s] of a tick of the frames' times."""
    aspect: Fraction
    """Width of a pixel by its height."""
    matrix: tuple[int, ...] | None
    """The display matrix, by which players turn the picture."""
    threads: int

    def remarks(self) -> list[str]:
        """What a user should know of it."""
        said = self.picture.remarks()
        if self.codec == "mpeg4":
            said.append("no good codec is installed: MPEG-4 is written")
        if self.picture.ratio != (2, 2) and "x26" in self.codec and _is_odd(self.picture):
            said.append("its size is odd: chroma is written in full, which some players cannot")
        return said


def choose(container: str, picture: Picture, **known: Any) -> Coding:
    """Choose the coding of a film for a container; `known` are the other fields of Coding.

    Raises UnsupportedFormat where no codec is there that can be used.
    """
    os.environ.setdefault("SVT_LOG", "0")  # its own lines on stderr
    for bits in dict.fromkeys((picture.bits, 10, 8)):
        for name in _CHOICE[container]:
            fitted = replace(_fitted(picture, name), bits=min(bits, picture.bits))
            if fitted.format in _formats(name):
                if name == "mpeg4" and known["clock"].denominator > _MOST_TICKS:
                    known["clock"] = Fraction(1, _MOST_TICKS)
                return Coding(name, fitted, **known)
    raise UnsupportedFormat(f"no codec is installed for {container} with {picture.format} frames")


def add_stream(container: av.container.OutputContainer, coding: Coding) -> VideoStream:
    """Add the stream of the colored frames to an open part, ready to encode."""
    options = dict(_OPTIONS[coding.codec])
    if coding.picture.interlaced and coding.codec == "libx264":
        options["x264-params"] = "bff=1" if coding.picture.bottom_first else "tff=1"
    stream: Any = container.add_stream(coding.codec, rate=coding.rate, options=options)
    stream.width, stream.height = coding.picture.width, coding.picture.height
    stream.pix_fmt = coding.picture.format
    context = stream.codec_context
    context.time_base = stream.time_base = coding.clock
    context.thread_count = coding.threads
    context.flags |= int(Flags.global_header)
    context.sample_aspect_ratio = coding.aspect
    context.color_range = coding.picture.range
    context.colorspace = coding.picture.matrix
    context.color_primaries = coding.picture.primaries
    context.color_trc = coding.picture.transfer
    if coding.picture.interlaced:
        context.flags |= int(Flags.interlaced_dct)
    return stream


def open_part(file: BinaryIO) -> av.container.OutputContainer:
    """A part of a film: NUT keeps any codec with any clock."""
    return av.open(file, "w", format="nut")


def _formats(name: str) -> set[str]:
    try:
        return {layout.name for layout in av.Codec(name, "w").video_formats or ()}
    except av.codec.codec.UnknownCodecError:
        return set()


def _fitted(picture: Picture, codec: str) -> Picture:
    """The picture with chroma that a codec has for its size."""
    if codec in ("libsvtav1", "mpeg4"):
        return replace(picture, ratio=(2, 2))
    if "x26" not in codec:
        return picture
    across, down = picture.ratio
    if picture.width % across:
        return replace(picture, ratio=(1, 1))
    return replace(picture, ratio=(across, 1)) if picture.height % down else picture


def _is_odd(picture: Picture) -> bool:
    return bool(picture.width % 2 or picture.height % 2)
