"""Frames: the pictures of a film in order, with times that rise, whatever the file is like."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import av
from av.container import InputContainer
from av.video.stream import VideoStream


@dataclass
class Frames:
    """The frames of an open film, and what was wrong with them."""

    container: InputContainer
    stream: VideoStream
    damaged: int = field(default=0, init=False)
    """Packets that could not be decoded, and frames that the decoder mended."""
    mistimed: int = field(default=0, init=False)
    """Frames without a time, or with one that does not rise."""
    resized: int = field(default=0, init=False)
    """Frames of another size than the first."""

    def __iter__(self) -> Generator[Any, None, None]:
        """Decode the film -> its frames, their `pts` rising, in ticks of the stream's time base.

        A packet that cannot be decoded is counted, and the frame before it stays longer: all
        others keep their times. At a place that cannot be read, the film ends.
        """
        last, step, size = None, 1, None
        self.stream.thread_type = "AUTO"
        for frame in self._decoded():
            time = frame.pts if frame.pts is not None else frame.dts
            if time is None or (last is not None and time <= last):
                self.mistimed += 1
                time = 0 if last is None else last + (step if time is None else 1)
            elif last is not None:
                step = time - last
            size = size or (frame.width, frame.height)
            self.resized += size != (frame.width, frame.height)
            last = frame.pts = time
            frame.time_base = self.stream.time_base
            yield frame

    def _decoded(self) -> Iterator[av.VideoFrame]:
        packets = iter(self.container.demux(self.stream))
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError:  # a cut film: the survey has said so
                packet = None
            try:
                frames = self.stream.decode(packet)
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                self.damaged += 1
                frames = []
            for frame in frames:
                self.damaged += frame.is_corrupt
                yield frame
            if packet is None:
                return

    def remarks(self) -> list[str]:
        """What was wrong with the frames, once they have come."""
        said = []
        if self.damaged:
            said.append(f"{self.damaged:,} damaged frames: some are missing or show what was left")
        if self.mistimed:
            said.append(f"{self.mistimed:,} frames had no time of their own, or a wrong one")
        if self.resized:
            said.append(f"{self.resized:,} frames of another size are scaled to that of the first")
        return said
