"""Joining: the colored parts and everything else of the source into one file.

Sound, subtitles, attachments, chapters and what the film says of itself are copied as they are, as
far as the container can hold them; what it cannot is named.
"""

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.stream import Stream

from pix2pix.film.encoding import Coding
from pix2pix.film.parts import Part
from pix2pix.film.reading import is_cover, open_film

_PLACES = ("location", "gps", "xyz", "coordinates", "geo")  # in names of metadata
_LAYOUTS = {"1 channels": "mono", "2 channels": "stereo"}  # for sound that does not say
_WRITE = 2**18  # [bytes]


@dataclass(frozen=True)
class Joined:
    """A film to be written."""

    source: str
    parts: Sequence[Part]
    coding: Coding
    container: str
    last_duration: int
    """Of the last frame, in ticks of the coding's clock."""
    model: str
    keep_gps: bool

    def write(self, path: str) -> list[str]:
        """Write the film -> what was left out. Raises OSError and av.error.FFmpegError."""
        warnings: list[str] = []
        with open(path, "wb") as file:
            with (
                open_film(self.source) as (source, pictures),
                open(self.parts[0].path, "rb") as first,
                av.open(first, "r", format="nut") as part,
            ):
                options = {"movflags": "use_metadata_tags"} if self.container == "mov" else {}
                with av.open(
                    file,
                    "w",
                    format=self.container,
                    container_options=options,
                    buffer_size=_WRITE,
                ) as output:
                    video = self._add_pictures(output, part.streams.video[0], pictures)
                    copies = _add_copies(output, source, pictures, self.source, warnings)
                    self._describe(output, source)
                    output.start_encoding()
                    self._mux(output, source, video, copies)
            file.flush()
            os.fsync(file.fileno())
        return warnings

    def _add_pictures(self, output: OutputContainer, part: Any, source: Any) -> Any:
        video = output.add_stream_from_template(part, opaque=True)
        video.time_base = self.coding.clock
        context = video.codec_context
        context.framerate = self.coding.rate
        context.sample_aspect_ratio = self.coding.aspect
        picture = self.coding.picture
        context.color_range, context.colorspace = picture.range, picture.matrix
        context.color_primaries, context.color_trc = picture.primaries, picture.transfer
        if self.coding.matrix is not None:
            video.set_display_matrix(self.coding.matrix)
        _copy_words(source, video, self.keep_gps)
        return video

    def _describe(self, output: OutputContainer, source: InputContainer) -> None:
        said = _words(source.metadata, self.keep_gps)
        ours = f"colorized by Pix2PixColor, {self.model}"
        before = said.get("comment") or said.pop("COMMENT", None)
        said["comment"] = f"{before}; {ours}" if before else ours
        output.metadata.update(said)
        chapters = source.chapters()
        if chapters:
            output.set_chapters(chapters)

    def _mux(
        self,
        output: OutputContainer,
        source: InputContainer,
        video: Any,
        copies: dict[int, Any],
    ) -> None:
        """Write all packets by their times, so that none waits long for another stream's."""
        colored = self._colored()
        pending = next(colored, None)
        for packet in _packets(source, copies):
            due = _seconds(packet)
            while pending is not None and due is not None and _seconds(pending) <= due:
                pending.stream = video
                output.mux_one(pending)
                pending = next(colored, None)
            packet.stream = copies[packet.stream.index]
            output.mux_one(packet)
        while pending is not None:
            pending.stream = video
            output.mux_one(pending)
            pending = next(colored, None)

    def _colored(self) -> Iterator[Any]:
        """The packets of all parts, in the coding's clock, each as long as until the next."""
        before: Any = None
        for packet in self._of_parts():
            if before is not None:
                before.duration = packet.pts - before.pts
                yield before
            before = packet
        if before is not None:
            before.duration = self.last_duration
            yield before

    def _of_parts(self) -> Iterator[Any]:
        clock = self.coding.clock
        for part in self.parts:
            shift = None
            with open(part.path, "rb") as file, av.open(file, "r", format="nut") as container:
                packets: Iterator[Any] = container.demux(container.streams.video[0])
                for packet in packets:
                    if packet.size:
                        ticks = round(packet.pts * packet.time_base / clock)
                        shift = part.start - ticks if shift is None else shift
                        packet.time_base = clock
                        packet.pts = packet.dts = ticks + shift
                        yield packet


def _add_copies(
    output: OutputContainer,
    source: InputContainer,
    pictures: Stream,
    path: str,
    warnings: list[str],
) -> dict[int, Any]:
    """Add the other streams, as they are -> by their numbers in the source, a film at `path`."""
    copies: dict[int, Any] = {}
    for stream in source.streams:
        if stream is pictures:
            continue
        copy = _copy(output, stream) if _fits(output.format.name, stream, path) else None
        if copy is None and stream.type == "data" and source.chapters():
            continue  # an .mp4 has its chapters in such a stream, too
        if copy is None:
            kind = "cover" if stream.type == "video" and is_cover(stream) else stream.type
            name = f" ({stream.name})" if getattr(stream, "name", None) else ""
            holds = f"{output.format.name} does not take it from here"
            warnings.append(f"stream {stream.index}, {kind}{name}, is left out: {holds}")
            continue
        copies[stream.index] = copy
        if stream.type == "video" and not is_cover(stream):
            warnings.append(f"stream {stream.index}, a second picture, is copied without color")
    return copies


def _fits(container: str, stream: Stream, path: str) -> bool:
    """Whether a container takes a stream: some say so only when its first sound is written."""
    try:
        with av.open(io.BytesIO(), "w", format=container) as trial:
            copy = _copy(trial, stream)
            if copy is None:
                return False
            trial.start_encoding()
            if stream.type == "audio":
                with open_film(path) as (film, _):
                    for packet in islice(_packets(film, {stream.index: copy}), 2):
                        packet.stream = copy
                        trial.mux_one(packet)
        return True
    except (ValueError, TypeError, av.error.FFmpegError, av.codec.codec.UnknownCodecError):
        return False


def _copy(output: OutputContainer, stream: Stream) -> Any:
    if stream.type == "attachment":
        if output.format.name != "matroska":
            return None
        return output.add_attachment(
            stream.metadata.get("filename", "attachment"),
            stream.mimetype or "application/octet-stream",  # type: ignore[attr-defined]
            stream.data,  # type: ignore[attr-defined]
        )
    if stream.type not in ("audio", "subtitle", "video") or stream.codec_context is None:
        return None
    copy = output.add_stream_from_template(stream, opaque=True)
    if stream.type == "audio":
        layout = stream.codec_context.layout.name  # type: ignore[attr-defined]
        if layout in _LAYOUTS:
            copy.codec_context.layout = _LAYOUTS[layout]  # type: ignore[attr-defined]
    copy.disposition = stream.disposition
    _copy_words(stream, copy, keep_gps=True)
    return copy


def _packets(source: InputContainer, copies: dict[int, Any]) -> Iterable[av.Packet]:
    """The packets of the streams that are copied, up to where the file can be read."""
    streams = [source.streams[index] for index in copies]
    streams = [stream for stream in streams if stream.type != "attachment"]
    if not streams:
        return
    packets = iter(source.demux(streams))
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.FFmpegError):  # a cut film: the survey has said so
            return
        if packet.size and (packet.dts is not None or packet.pts is not None):
            if packet.dts is None:
                packet.dts = packet.pts
            yield packet


def _seconds(packet: av.Packet) -> Any:
    return Fraction(packet.dts) * packet.time_base if packet.dts is not None else None


def _copy_words(source: Any, copy: Any, keep_gps: bool) -> None:
    words = _words(source.metadata, keep_gps)
    words.pop("encoder", None)
    if words:
        copy.metadata.update(words)


def _words(metadata: dict[str, str], keep_gps: bool) -> dict[str, str]:
    """What a film says of itself, without what was said of the file, and without its place."""
    of_the_file = {"major_brand", "minor_version", "compatible_brands", "encoder", "ENCODER"}
    return {
        key: value
        for key, value in metadata.items()
        if key not in of_the_file and (keep_gps or not any(p in key.lower() for p in _PLACES))
    }
