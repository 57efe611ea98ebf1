"""Yardsticks: distances that pretrained nets measure, which have to be loaded first.

Each gives figures of single photos, and features from which a figure of the whole row follows.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from torch import Tensor

from pix2pix import metrics
from pix2pix.errors import one_line

_NO_DISTANCE = 1e-9  # Fréchet distance of gray below which there is nothing to close
Rows = Mapping[str, Tensor]
"""Rows of rgb (B,3,H,W) in [0, 1] by name, `truth` among them."""


class YardstickError(ValueError):
    """A net to measure with that cannot be loaded: `source` and `reason`."""

    def __init__(self, source: str, reason: str):
        super().__init__(f"{source}: {reason}")
        self.source, self.reason = source, reason


class Yardstick(Protocol):
    """What `evaluate` measures with; `figures` are the names that `summarize` gives."""

    figures: tuple[str, ...]

    def measure(self, rows: Rows) -> dict[str, dict[str, Tensor]]:
        """Rows of a batch -> of each row the figures (B,), and `features` (B,D)."""

    def summarize(self, model: Tensor, truth: Tensor, gray: Tensor) -> Mapping[str, float | None]:
        """Features (N,D) of a row, of the truth and of gray -> the row's figures; N is 2 or more.

        None for one that these photos do not tell.
        """


class Squeeze:
    """On SqueezeNet 1.1: Fréchet distance, share closed, KID; with heads the LPIPS-like distance.

    `features` and `heads` are .safetensors files (metrics.SqueezeFeatures, PerceptualDistance).
    Raises YardstickError when they cannot be read.
    """

    figures: tuple[str, ...] = ("frechet", "share_closed", "kid")

    def __init__(self, features: str | Path, heads: str | Path | None = None):
        self.network = _load(features, metrics.SqueezeFeatures)
        self.distance = None if heads is None else _load(heads, metrics.PerceptualDistance)

    @torch.inference_mode()
    def measure(self, rows: Rows) -> dict[str, dict[str, Tensor]]:
        """As Yardstick: `lpips_like` of every row but truth, and `features` (B,512)."""
        figures: dict[str, dict[str, Tensor]] = {}
        true = self.network.maps(rows["truth"])
        for name, rgb in rows.items():
            maps = true if name == "truth" else self.network.maps(rgb)
            figures[name] = {"features": maps[-1].mean(dim=(2, 3))}
            if self.distance is not None and name != "truth":
                figures[name]["lpips_like"] = self.distance(maps, true)
        return figures

    def summarize(self, model: Tensor, truth: Tensor, gray: Tensor) -> Mapping[str, float | None]:
        """As Yardstick: `frechet`, `share_closed`, `kid`."""
        apart = metrics.frechet_distance(gray, truth) > _NO_DISTANCE
        return {
            "frechet": metrics.frechet_distance(model, truth),
            "share_closed": metrics.share_closed(model, truth, gray) if apart else None,
            "kid": metrics.kernel_distance(model, truth, paired=True),
        }


class TorchMetrics:
    """The published LPIPS (AlexNet) and FID (Inception v3), by torchmetrics' own nets.

    LPIPS needs torchvision's weights of AlexNet (its heads come with torchmetrics); FID needs the
    package torch-fidelity and its weights of Inception. Both are fetched on first use. The
    Fréchet distance itself is `metrics.frechet_distance`, which bears fewer photos than features.
    Raises YardstickError when something is missing and cannot be fetched.
    """

    figures: tuple[str, ...] = ("fid",)

    def __init__(self) -> None:
        self.lpips = _published("LPIPS", _lpips)
        self.inception = _published("FID", _inception)

    @torch.inference_mode()
    def measure(self, rows: Rows) -> dict[str, dict[str, Tensor]]:
        """As Yardstick: `lpips` of every row but truth, and `features` (B,2048)."""
        figures: dict[str, dict[str, Tensor]] = {}
        for name, rgb in rows.items():
            figures[name] = {"features": self.inception((255 * rgb).round().byte())}
            if name != "truth":
                pairs = zip(rgb.split(1), rows["truth"].split(1), strict=True)
                figures[name]["lpips"] = torch.stack([self.lpips(*pair).view(()) for pair in pairs])
        return figures

    def summarize(self, model: Tensor, truth: Tensor, gray: Tensor) -> Mapping[str, float | None]:
        """As Yardstick: `fid`."""
        return {"fid": metrics.frechet_distance(model, truth)}


def _lpips() -> Any:
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    return LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)


def _inception() -> Any:
    from torchmetrics.image.fid import FrechetInceptionDistance

    return FrechetInceptionDistance(normalize=True).inception


def _load(path: str | Path, kind: type) -> Any:
    try:
        return kind(path)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise YardstickError(str(path), one_line(error)) from error


def _published(name: str, build: Callable[[], Any]) -> Any:
    try:
        return build()
    except ModuleNotFoundError as error:
        reason = f"it needs a package that is not installed: {error}"
    except (OSError, RuntimeError) as error:
        reason = f"its weights are not here and could not be fetched: {error}"
    raise YardstickError(name, " ".join(reason.split()))
