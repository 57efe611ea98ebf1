"""Gates: how far a compressed net may be from the original, in the colors of photos.

PSNR alone does not see a net that dulls colors, because it rewards that.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch

from pix2pix.color import rgb_to_lab
from pix2pix.colorize.colorizer import Colorizer
from pix2pix.colorize.engines.base import Engine
from pix2pix.errors import DataError
from pix2pix.metrics import ciede2000
from pix2pix.strips import sharing

CHROMA, DELTA_E, PSNR = 0.01, 0.5, 0.1
"""The bounds: of the mean chroma's ratio to 1, of the mean CIEDE2000, of the change in dB."""
_GRAY = 0.1  # chroma: rounding alone gives less
_LEAST = 1e-5  # mean squared error, for pictures that are all alike


@dataclass(frozen=True)
class Gates:
    """How a compressed net differs from the original on photos."""

    photos: int
    chroma: float
    """Mean chroma of its pictures over that of the original's."""
    delta_e: float
    """Mean CIEDE2000 between its pictures and the original's."""
    worst: float
    """The same of the photo in which it is largest."""
    psnr: float
    """PSNR against the true colors, less that of the original, in dB."""

    def checks(self) -> list[tuple[str, bool]]:
        """Each gate as a line for people, and whether it passes."""
        off = self.chroma - 1
        return [
            (f"chroma {off:+.2%} (at most {CHROMA:.0%} off)", abs(off) <= CHROMA),
            (
                f"CIEDE2000 {self.delta_e:.2f} (at most {DELTA_E:g}), worst {self.worst:.2f}",
                self.delta_e <= DELTA_E,
            ),
            (f"PSNR {self.psnr:+.3f} dB (at most {PSNR:g} off)", abs(self.psnr) <= PSNR),
        ]

    @property
    def passed(self) -> bool:
        """Whether all of them pass; NaN does not."""
        return all(passed for _, passed in self.checks())

    def lines(self) -> list[str]:
        """The gates as lines for people, each with its verdict."""
        return [f"{line}: {'pass' if passed else 'FAIL'}" for line, passed in self.checks()]


def compare(original: Colorizer, compressed: Colorizer, photos: Iterable[np.ndarray]) -> Gates:
    """Color photos, rgb (H, W, 3) uint8 in their true colors, by both nets -> how they differ.

    Raises DataError without photos, or when the original colors nothing.
    """
    rows = [_measure(original.rgb(rgb), compressed.rgb(rgb), rgb) for rgb in photos]
    if not rows:
        raise DataError("no photos to compare a compressed net on")
    table = np.array(rows)
    before, after, delta_e, psnr = table.mean(0).tolist()
    if before < _GRAY:
        raise DataError("the original gives no color to compare with")
    return Gates(len(rows), after / before, delta_e, float(table[:, 2].max()), psnr)


def _measure(ours: np.ndarray, theirs: np.ndarray, truth: np.ndarray) -> tuple[float, ...]:
    """Chroma of both, CIEDE2000 between them, and how many dB the second has more."""
    labs = [rgb_to_lab(torch.tensor(x).permute(2, 0, 1) / 255) for x in (ours, theirs)]
    chroma = [float(torch.hypot(lab[1], lab[2]).mean()) for lab in labs]
    off = [np.square(np.subtract(x, truth, dtype=float)).mean() for x in (ours, theirs)]
    gained = 10 * np.log10(max(off[0], _LEAST) / max(off[1], _LEAST))
    return *chroma, float(ciede2000(*labs).mean()), float(gained)


def pass_times(engines: Sequence[Engine], source: np.ndarray, *, passes: int = 9) -> list[float]:
    """Milliseconds of CPU time that each engine takes for source (B, C, H, W), on one thread.

    The median of so many passes, the engines in turns, after one to warm up.
    """
    taken: list[list[float]] = [[] for _ in engines]
    with sharing(1):
        for _ in range(passes + 1):
            for times, engine in zip(taken, engines, strict=True):
                start = time.process_time()
                engine.run(source)
                times.append(1000 * (time.process_time() - start))
    return [median(times[1:]) for times in taken]
