"""A gray film to measure with: photographs that pass by, grain, flicker, and flashes with a beep.

    python benchmarks/reel.py PATH --make SECONDS
    python benchmarks/reel.py PATH

The second prints, as JSON, how many frames a film has, and how long after its flashes the beeps
are [ms].
"""

import argparse
import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from pictures import picture

SIZE = 640, 480  # width, height
RATE, SOUND = 24, 48_000  # frames and samples a second
GRAIN, FLICKER = 6, 0.06  # standard deviations: of a pixel, and of the brightness of a frame
_SCENE = 5 * RATE  # frames
_FLASHES = 10 * RATE  # frames from one to the next
_GRAINS = 16
_OPTIONS = {"crf": "18", "preset": "veryfast"}
_CHUNK = 1024
_LOUD, _BRIGHT = 0.4, 200  # of samples, and of the luma of frames


class Worn:
    """Puts grain and flicker on frames, other ones each time."""

    def __init__(self, size: tuple[int, int] = SIZE):
        self._rng = np.random.default_rng(0)
        self._grains = self._rng.normal(0, GRAIN, (_GRAINS, *size[::-1])).astype(np.float32)

    def __call__(self, plane: np.ndarray) -> np.ndarray:
        """(H, W) in [0, 255] -> the same, uint8."""
        gain = np.float32(1 + FLICKER * self._rng.standard_normal())
        grain = self._grains[self._rng.integers(_GRAINS)]
        moved = np.roll(grain, tuple(self._rng.integers(0, grain.shape)), (0, 1))
        return np.rint(plane * gain + moved).clip(0, 255).astype(np.uint8)


def flashes(frames: int) -> list[int]:
    """The frames that are white, and heard."""
    return [number for number in range(frames) if number % _FLASHES == RATE // 2]


def scene(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """The gray (H, W) of a frame: a photograph that moves by a pixel a frame, another every 5 s."""
    width, height = size
    wide = picture(width + _SCENE, height, offset=1 + number // _SCENE)
    return wide[:, number % _SCENE :][:, :width] @ np.float32([0.299, 0.587, 0.114])


def make(path: Path, frames: int) -> None:
    """Write so many frames, H.264 in 8 bits, and as much AAC."""
    worn, loud = Worn(), flashes(frames)
    with av.open(str(path), "w") as film:
        video = film.add_stream("libx264", rate=RATE, options=_OPTIONS)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        audio = film.add_stream("aac", rate=SOUND, layout="stereo")
        for number in range(frames):
            gray = np.full(SIZE[::-1], 255) if number in loud else scene(number)
            frame = av.VideoFrame.from_ndarray(worn(gray), "gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            film.mux(video.encode(frame))
        film.mux(video.encode(None))
        for start in range(0, frames * SOUND // RATE, _CHUNK):
            film.mux(audio.encode(_sound(start, loud)))
        film.mux(audio.encode(None))


def _sound(start: int, loud: list[int]) -> av.AudioFrame:
    """Some samples: a tone, which is faint but for the frames that flash."""
    at = np.arange(start, start + _CHUNK)
    strong = np.isin(at * RATE // SOUND, loud)
    wave = (np.sin(at * 0.3) * np.where(strong, 0.9, 0.05)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), "fltp", "stereo")
    frame.sample_rate, frame.pts, frame.time_base = SOUND, start, Fraction(1, SOUND)
    return frame


def look(path: Path) -> dict[str, object]:
    """How many `frames` a film has, and how far `apart` a flash and its beep are [ms], each."""
    seen, heard, start = [], [], 0.0
    with av.open(str(path)) as film:
        for frame in film.decode(video=0):
            seen.append((frame.time, float(np.frombuffer(frame.planes[0], np.uint8).mean())))
    with av.open(str(path)) as film:
        for frame in film.decode(audio=0):
            start = frame.time if not heard else start
            heard.append(np.abs(frame.to_ndarray()[0]))
    (loud,) = np.nonzero(np.concatenate(heard) > _LOUD)
    beeps = [group[0] / SOUND + start for group in np.split(loud, _gaps(loud))]
    bright = [time for time, mean in seen if mean > _BRIGHT]
    apart = [1000 * (beep - flash) for flash, beep in zip(bright, beeps, strict=True)]
    return {"frames": len(seen), "apart": apart}


def _gaps(places: np.ndarray) -> np.ndarray:
    """Where another beep begins among the places of loud samples."""
    return np.flatnonzero(np.diff(places) > SOUND // 2) + 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--make", type=float, metavar="SECONDS")
    given = parser.parse_args()
    if given.make is None:
        print(json.dumps(look(given.path)))
    else:
        make(given.path, max(1, round(given.make * RATE)))


if __name__ == "__main__":
    main()
