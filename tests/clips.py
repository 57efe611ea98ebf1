"""Small films made by PyAV, of known frames and sound, and a net whose colors are known."""

from dataclasses import dataclass, field
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
from PIL import Image

from pix2pix.colorize.model import net_size
from pix2pix.weights.header import Header

SIZE = 64, 48  # width, height
RATE = 25
SOUND = 48000


@dataclass
class Clip:
    """What a film is made of; `write` makes it."""

    frames: int = 20
    size: tuple[int, int] = SIZE
    format: str = "yuv420p"
    codec: str = "libx264"
    options: dict = field(default_factory=lambda: {"crf": "12", "preset": "ultrafast"})
    times: list[int] | None = None  # in ticks of 1/RATE s by default
    clock: Fraction = Fraction(1, RATE)
    sound: str | None = "aac"
    beep: int = 10  # frame at which it is loud
    rotation: int = 0
    matrix: tuple[int, ...] | None = None  # by which players turn and mirror it
    tags: dict = field(default_factory=dict)  # of the codec's context
    metadata: dict = field(default_factory=dict)
    chapters: list = field(default_factory=list)
    subtitles: bool = False
    container: dict = field(default_factory=dict)  # its options

    def luma(self, number):
        """The luma (H, W) of a frame: a ramp, and a bright square that walks; white at `beep`."""
        width, height = self.size
        x, y = np.arange(width), np.arange(height)[:, None]
        plane = 40 + 100 * x // width + 40 * y // height
        left = 4 + number % (width // 2 + 1)
        plane[height // 3 : height // 2, left : left + 8] = 200
        return np.full_like(plane, 235) if self.sound and number == self.beep else plane

    def frame(self, number):
        """A frame, gray."""
        frame = av.VideoFrame(*self.size, self.format)
        bits = max(part.bits for part in frame.format.components)
        dtype = np.uint8 if bits == 8 else np.uint16
        for index, plane in enumerate(frame.planes):
            lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size).view(dtype)
            lines[:] = 128 << bits - 8
            if index == 0 or frame.format.is_rgb:
                values = self.luma(number).astype(dtype) << bits - 8
                lines[: self.size[1], : self.size[0]] = values
        frame.pts = number if self.times is None else self.times[number]
        frame.time_base = self.clock
        return frame

    def write(self, path):
        """Write the film to a path -> the path as a string."""
        with av.open(str(path), "w", container_options=self.container) as film:
            film.metadata.update(self.metadata)
            if self.chapters:
                film.set_chapters(self.chapters)
            video = film.add_stream(self.codec, rate=RATE, options=dict(self.options))
            video.width, video.height = self.size
            video.pix_fmt = self.format
            video.codec_context.time_base = video.time_base = self.clock
            for name, value in self.tags.items():
                setattr(video.codec_context, name, value)
            if self.rotation:
                video.set_display_rotation(self.rotation)
            if self.matrix:
                video.set_display_matrix(self.matrix)
            audio = film.add_stream(self.sound, rate=SOUND) if self.sound else None
            text = film.add_mux_stream("subrip") if self.subtitles else None
            for number in range(self.frames):
                film.mux(video.encode(self.frame(number)))
            film.mux(video.encode(None))
            if audio:
                for start in range(0, self.frames * SOUND // RATE, 1024):
                    film.mux(audio.encode(self._sound(start, audio)))
                film.mux(audio.encode(None))
            if text:
                packet = av.Packet(b"Hello")
                packet.stream, packet.time_base = text, Fraction(1, 1000)
                packet.pts = packet.dts = 100
                packet.duration = 400
                film.mux(packet)
        return str(path)

    def _sound(self, start, audio):
        times = np.arange(start, start + 1024)
        last = (self.beep + 1) * SOUND // RATE
        loud = (times >= self.beep * SOUND // RATE) & (times < last)
        wave = (np.sin(times * 0.3) * loud * 0.9).astype(np.float32)
        layout = audio.codec_context.format.name
        if layout.startswith("s16"):
            data = (wave * 32767).astype(np.int16)
            data = np.stack([data, data]) if layout == "s16p" else np.repeat(data, 2)[None]
        else:
            data = np.stack([wave, wave])
        frame = av.AudioFrame.from_ndarray(data, layout, "stereo")
        frame.sample_rate, frame.pts, frame.time_base = SOUND, start, Fraction(1, SOUND)
        return frame


class Painted:
    """A net that paints bright things red and dark ones blue, and counts what it is asked."""

    name = "painted"

    def __init__(self):
        self.header = Header(generator={"net": "UNet"}, area=32 * 32, large_area=64 * 64)
        self.engine = SimpleNamespace(multiple=32, kind="painted")
        self.asked = 0
        self.wishes = []

    def predict(self, rgb, wish=None):
        """Gray (H, W, 3) -> ab (2, h, w)."""
        self.asked += 1
        self.wishes.append(wish)
        area = self.header.area_for(*rgb.shape[:2])
        height, width = net_size(*rgb.shape[:2], area=area, multiple=32)
        gray = Image.fromarray(np.ascontiguousarray(rgb[..., 0])).resize((width, height))
        tone = np.asarray(gray, np.float32) / 255 - 0.5
        return np.stack([0.4 * tone, 0.3 * tone]).astype(np.float32)


def decoded(path, kind="video"):
    """All frames of a film, or of its sound."""
    with av.open(str(path)) as film:
        return list(film.decode(**{kind: 0}))


def plane(frame, index=0):
    """A plane of a frame as an array (H, W)."""
    bits = max(part.bits for part in frame.format.components)
    view = np.frombuffer(frame.planes[index], np.uint8).reshape(-1, frame.planes[index].line_size)
    view = view.view(np.uint8 if bits == 8 else np.uint16)
    return view[: frame.planes[index].height, : frame.planes[index].width].copy()


def packets(path, kind):
    """(time [s], bytes) of the packets of the first stream of a kind."""
    with av.open(str(path)) as film:
        stream = getattr(film.streams, kind)[0]
        found = [p for p in film.demux(stream) if p.size]
        return [(p.pts * p.time_base, bytes(p)) for p in found]
