"""Survey: what a film holds, told by its packets alone, before hours are spent on it.

Reading all packets costs no more than reading the file. It says how many pictures are to come, and
whether the file ends before the film does.
"""

from dataclasses import dataclass
from fractions import Fraction

import av

from pix2pix.errors import Corrupt, Truncated
from pix2pix.film.reading import demux_error, is_cover, open_film

_MISSING = 0.5, 0.01  # [s] and share of the length, by which a whole film may end early
_SILENT = 2.0, 0.05  # the same for its pictures alone, which is said and nothing more


@dataclass(frozen=True)
class Survey:
    """What a film holds."""

    frames: int
    """Packets of pictures that are shown; nearly always as many frames."""
    seconds: float
    """When the last packet of any stream ends, from the film's start."""
    cut: str | None
    """What is missing at its end, or None."""


def survey(path: str, *, allow_truncated: bool = False) -> Survey:
    """Read all packets of a film -> what it holds.

    Raises PhotoError as `open_film`, Truncated for a film that ends early unless `allow_truncated`,
    and Corrupt for one without a picture.
    """
    with open_film(path) as (container, stream):
        frames, end, seen, why = 0, Fraction(0), Fraction(0), None
        try:
            for packet in container.demux():
                if packet.size and packet.stream is stream:
                    frames += not packet.is_discard
                    seen = max(seen, _end(packet))
                if packet.size and not is_cover(packet.stream):
                    end = max(end, _end(packet))
        except av.error.FFmpegError as error:
            why = demux_error(error).reason
        start = Fraction(max(container.start_time or 0, 0), av.time_base)
        stated = float(Fraction(container.duration or 0, av.time_base))
        if container.format.name == "avi":  # whose length is what was found of it
            stated = max(stated, float(stream.frames / (stream.average_rate or 1)))
    seconds, shown = float(end - start), float(seen - start)
    if seconds < stated - max(_MISSING[0], _MISSING[1] * stated):
        why = f"it ends after {seconds:.1f} of {stated:.1f} s"
    if why and not allow_truncated:
        raise Truncated(f"{why}; --allow-truncated takes what is there")
    if not frames:
        raise Corrupt("it holds no frame")
    if why is None and shown < stated - max(_SILENT[0], _SILENT[1] * stated):
        why = f"its pictures end after {shown:.1f} of {stated:.1f} s"
    return Survey(frames, seconds, why)


def _end(packet: av.Packet) -> Fraction:
    """When a packet ends [s]; 0 where it does not say."""
    time = packet.pts if packet.pts is not None else packet.dts
    if time is None or not packet.time_base:
        return Fraction(0)
    return (time + (packet.duration or 0)) * packet.time_base
