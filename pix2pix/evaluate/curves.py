"""Curves: how the colors change with what the model is given: hints, aged film, size, saturation.

Each colors the photos of a batch again, under one condition after the other, and measures every
photo. For film and sizes only color counts: a result's a*, b* are read off its 8-bit picture and
joined to the photo's own L*, so that chroma which the gamut had no room for at another lightness
counts as lost.
"""

from collections.abc import Sequence
from functools import partial
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from pix2pix import metrics
from pix2pix.color import net_to_rgb, rgb_to_lab, rgb_to_net
from pix2pix.colorize.hints import Hint
from pix2pix.data import film
from pix2pix.data.reveal import uniform_points
from pix2pix.errors import BadHint
from pix2pix.evaluate.intervals import MetricTable, PerPhoto, section
from pix2pix.evaluate.photos import Crops, as_in_a_file, color_each, to_tensor, to_uint8
from pix2pix.evaluate.result import CurveName, Section
from pix2pix.randomness import normal_like


class ColorizerLike(Protocol):
    """A model to evaluate, such as a `Colorizer`; only curves use the keyword arguments.

    Threads share one.
    """

    @property
    def name(self) -> str:
        """The weights' name."""

    def rgb(
        self,
        rgb: np.ndarray,
        *,
        saturation: float = 1.0,
        hints: Sequence[Hint] = (),
        seed: int | None = None,
    ) -> np.ndarray:
        """Color rgb (H, W, 3) uint8 from its lightness alone -> (H, W, 3) uint8."""


class Curve:
    """A curve that `evaluate` measures; `name` is that of its section in the result."""

    name: CurveName

    def __init__(self, colorizer: ColorizerLike):
        self.colorizer = colorizer

    def measure(self, crops: Crops, plain: Tensor) -> MetricTable:
        """Color a batch again; `plain` (B, 3, H, W) in [0, 1] is the model's usual result."""
        raise NotImplementedError

    def summarize(self, table: MetricTable) -> Section:
        """Metrics of all photos by condition -> their means and intervals."""
        return section(table)


class FilmCurve(Curve):
    """Film: PSNR lost when the model sees the photo as an old emulsion would have left it.

    The five renderings are those of data/film.py at fixed strengths: orthochromatic and blue-only
    response; faded (blacks lifted by 7.5 %, contrast 72.5 %); grainy (normal noise of sigma 0.06 in
    L of -1 to 1); scratched. Grain and scratches depend on the photo's place in the folder alone.
    The model is given the aged L as a gray RGB picture; the ab of its result is joined to the L of
    the photo as it was, and scored against the photo: PSNR [dB] of the plain result, scored in the
    same way, less that of the aged one. So an emulsion's wrong grays cost nothing, only the colors
    that they mislead the model to. It can fall below 0, because PSNR rewards desaturated color and
    what misleads the model often desaturates it, as `colorfulness` of the joined result shows;
    `plain` is the photo as it was, `mean` is over the five.
    """

    name: CurveName = "film"

    def measure(self, crops: Crops, plain: Tensor) -> MetricTable:
        """As Curve: of each rendering `psnr_lost` in dB and `colorfulness` (B,)."""
        L = rgb_to_net(crops.truth)[0]
        joined = _join(L, plain)
        best = metrics.psnr(joined, crops.truth)
        table = {"plain": {"colorfulness": metrics.colorfulness(joined)}}
        aged = {
            name: self._score(L, seen, best, crops.truth)
            for name, seen in renderings(crops.truth, L, crops.positions).items()
        }
        mean = {
            key: torch.stack([row[key] for row in aged.values()]).mean(0)
            for key in ("psnr_lost", "colorfulness")
        }
        return table | aged | {"mean": mean}

    def _score(self, L: Tensor, seen: Tensor, best: Tensor, truth: Tensor) -> dict[str, Tensor]:
        lit = net_to_rgb(seen, torch.zeros_like(seen).expand(-1, 2, -1, -1))
        gray = to_uint8(lit[:, 1:2].expand(-1, 3, -1, -1))  # Lab's own gray can be a level off
        joined = _join(L, color_each(gray, self.colorizer.rgb))
        return {
            "psnr_lost": best - metrics.psnr(joined, truth),
            "colorfulness": metrics.colorfulness(joined),
        }


def renderings(rgb: Tensor, L: Tensor, positions: np.ndarray) -> dict[str, Tensor]:
    """RGB (B, 3, H, W) in [0, 1] and its L (B, 1, H, W) -> the aged L in [-1, 1] by name."""
    amount = L.new_ones(len(L), 1, 1, 1)
    return {
        "orthochromatic": film.respond(rgb, film.RESPONSES["orthochromatic"]),
        "blue-only": film.respond(rgb, film.RESPONSES["blue"]),
        "faded": film.fade(L, lift=0.075 * amount, contrast=0.725 * amount),
        "grainy": (L + 0.06 * normal_like(L, 0, positions, 30)).clamp(-1, 1),
        "scratched": film.scratch(L, 0, positions),
    }


class SizeCurve(Curve):
    """Sizes: how the colors change when the same photo comes smaller or larger.

    The square is scaled (Lanczos) by each of SCALES and colored; the result's ab is brought back to
    the common size (bicubic) and joined to the photo's L. `delta_e2000` is the mean CIEDE2000 from
    the result at scale 1, `colorfulness` the joined result's own.
    """

    name: CurveName = "sizes"
    SCALES = (0.5, 0.71, 1.0, 1.41, 2.0)

    def measure(self, crops: Crops, plain: Tensor) -> MetricTable:
        """As Curve: of each scale `delta_e2000` and `colorfulness` (B,)."""
        L = rgb_to_net(crops.truth)[0]
        unscaled = _join(L, plain)
        table = {}
        for scale in self.SCALES:
            joined = unscaled if scale == 1 else _join(L, self._color(crops, scale))
            table[f"{scale:g}"] = {
                "delta_e2000": metrics.delta_e2000(joined, unscaled),
                "colorfulness": metrics.colorfulness(joined),
            }
        return table

    def _color(self, crops: Crops, scale: float) -> Tensor:
        side = max(1, round(crops.truth.shape[-1] * scale))

        def scaled(photo: np.ndarray) -> np.ndarray:
            image = Image.fromarray(photo).resize((side, side), Image.Resampling.LANCZOS)
            return self.colorizer.rgb(np.array(image))

        return color_each(crops.rgb8, scaled)


class SaturationCurve(Curve):
    """Saturations: what it costs when the colors are made stronger or weaker.

    The photos are colored with each `saturation`, a factor of the chroma. `psnr` [dB] of the
    result, `over_gray` that less the PSNR of the photo without any color, and
    `colorfulness_ratio`, the result's mean colorfulness over the truth's.
    """

    name: CurveName = "saturations"

    def __init__(self, colorizer: ColorizerLike, saturations: Sequence[float]):
        super().__init__(colorizer)
        self.saturations = sorted(set(saturations))

    def measure(self, crops: Crops, plain: Tensor) -> MetricTable:
        """As Curve: of each saturation `psnr`, `over_gray`, `colorfulness`, and the `true` one."""
        L, ab = rgb_to_net(crops.truth)
        gray = metrics.psnr(as_in_a_file(L, 0 * ab), crops.truth)
        true = metrics.colorfulness(crops.truth)
        table = {}
        for saturation in self.saturations:
            colored = color_each(crops.rgb8, partial(self.colorizer.rgb, saturation=saturation))
            psnr = metrics.psnr(colored, crops.truth)
            table[f"{saturation:g}"] = {
                "psnr": psnr,
                "over_gray": psnr - gray,
                "colorfulness": metrics.colorfulness(colored),
                "true": true,
            }
        return table

    def summarize(self, table: MetricTable) -> Section:
        """As Curve."""
        rows: dict[str, dict[str, PerPhoto]] = {}
        for name, row in table.items():
            ratio = (row["colorfulness"], row["true"])
            plain = {key: row[key] for key in ("psnr", "over_gray")}
            rows[name] = {**plain, "colorfulness_ratio": ratio}
        return section(rows)


class HintCurve(Curve):
    """Hints: PSNR gained by true colors at some points, and how closely they are followed.

    Points are uniformly random (`reveal.uniform_points`, seeded by the photo's place in the
    folder), and fewer are the first of more. A hint's color is the mean of the true photo over 7x7
    pixels around its point, at 256 pixels a side; in proportion at other sizes. `psnr_gain` [dB] is
    PSNR with hints less PSNR without. At the hinted pixels, CIEDE2000 of the result from the hint,
    both at the result's L*, as a hint says nothing of lightness: `median` and `p95` over all hints.
    Raises BadHint for a model that takes none.
    """

    name: CurveName = "hints"
    SIDE = 7 / 256

    def __init__(self, colorizer: ColorizerLike, counts: Sequence[int]):
        if not getattr(colorizer, "takes_hints", False):
            raise BadHint(f"{colorizer.name} takes no hints: leave --hints out")
        super().__init__(colorizer)
        self.counts = sorted(set(counts))

    def measure(self, crops: Crops, plain: Tensor) -> MetricTable:
        """As Curve: of each count `psnr_gain` (B,) and `delta_e2000` (B, count)."""
        without = metrics.psnr(plain, crops.truth)
        all_hints = [true_hints(p, max(self.counts), int(i)) for p, i in _placed(crops)]
        table = {}
        for count in self.counts:
            hints = [of_photo[:count] for of_photo in all_hints]
            pairs = zip(crops.rgb8, hints, strict=True)
            rgb8 = [self.colorizer.rgb(photo, hints=given) for photo, given in pairs]
            gain = metrics.psnr(to_tensor(np.stack(rgb8)), crops.truth) - without
            missed = [missed_by(rgb, given) for rgb, given in zip(rgb8, hints, strict=True)]
            table[str(count)] = {"psnr_gain": gain, "delta_e2000": torch.stack(missed)}
        return table

    def summarize(self, table: MetricTable) -> Section:
        """As Curve; `delta_e2000_median` and `delta_e2000_p95` are without intervals."""
        found = section({count: {"psnr_gain": row["psnr_gain"]} for count, row in table.items()})
        for count, row in table.items():
            median, p95 = np.percentile(row["delta_e2000"].numpy(), (50, 95))
            found["rows"][count]["delta_e2000_median"] = float(median)
            found["rows"][count]["delta_e2000_p95"] = float(p95)
        return found


def true_hints(rgb: np.ndarray, count: int, seed: int) -> list[Hint]:
    """Make hints of a photo rgb (H, W, 3) uint8: random points with their true colors."""
    height, width = rgb.shape[:2]
    reach = round(HintCurve.SIDE * min(height, width)) // 2
    hints: list[Hint] = []
    for y, x in uniform_points(count, seed):
        row, column = int(y * height), int(x * width)
        around = rgb[
            max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1
        ]
        red, green, blue = around.reshape(-1, 3).mean(0).round().astype(int).tolist()
        hints.append((column, row, (red, green, blue)))
    return hints


def missed_by(rgb: np.ndarray, hints: Sequence[Hint]) -> Tensor:
    """CIEDE2000 (N,) between rgb (H, W, 3) uint8 and N hints, at their pixels and its own L*."""
    pixels = np.array([rgb[int(y), int(x)] for x, y, _ in hints], np.uint8)
    result, wanted = (
        rgb_to_lab(torch.from_numpy(colors).T[:, None] / 255)  # (3, 1, N)
        for colors in (pixels, np.array([color for _, _, color in hints], np.uint8))
    )
    return metrics.ciede2000(torch.cat([result[:1], wanted[1:]]), result)[0]


def _placed(crops: Crops) -> list[tuple[np.ndarray, int]]:
    return list(zip(crops.rgb8, crops.positions, strict=True))


def _join(L: Tensor, colored: Tensor) -> Tensor:
    """The colors of a result of any size, at L (B, 1, H, W) -> rgb in steps of 1/255."""
    ab = rgb_to_net(colored)[1]
    if ab.shape[-2:] != L.shape[-2:]:
        ab = F.interpolate(ab, L.shape[-2:], mode="bicubic", antialias=True)
    return as_in_a_file(L, ab)
