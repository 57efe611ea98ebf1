"""Feature metrics: distances between the features that pretrained nets give of photos.

Each measures single photos, and gives features from which a metric of the whole row follows.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pix2pix import metrics
from pix2pix.errors import WeightsError, one_line
from pix2pix.evaluate.intervals import MetricTable
from pix2pix.evaluate.result import Means
from pix2pix.nets.backbones import squeezenet1_1, tapped

if TYPE_CHECKING:
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

_NO_DISTANCE = 1e-9  # Fréchet distance of gray below which there is nothing to close
_TAPS = {1: 64, 4: 128, 7: 256, 9: 384, 10: 384, 11: 512, 12: 512}  # layer: channels
_BGR_MEANS = (103.939, 116.779, 123.68)  # of ImageNet, in 0..255: what this SqueezeNet was fed
Rows = Mapping[str, Tensor]  # rows of rgb (B, 3, H, W) in [0, 1] by name, `truth` among them
T = TypeVar("T")


class FeatureMetricError(WeightsError):
    """A feature metric whose net cannot be loaded."""


class FeatureMetric(Protocol):
    """Metrics on a pretrained net's features; `names` are those that `summarize` gives.

    Threads share one.
    """

    names: tuple[str, ...]

    def measure(self, rows: Rows) -> MetricTable:
        """Rows of a batch -> of each row the photos' metrics (B,), and `features` (B, D)."""

    def summarize(self, features: Mapping[str, Tensor]) -> Callable[[Tensor], Means]:
        """Features (N, D) by row, `truth` and `gray` among them -> what measures some photos.

        It is called with their places, int64 (n,), n at least 2, by several threads, and gives the
        metrics of every row but truth; None for one that is undefined for these photos.
        """


class SqueezeNetMetrics:
    """On SqueezeNet 1.1: Fréchet distance, share closed, KID; with heads the LPIPS-like distance.

    `features` and `heads` are .safetensors files (`SqueezeFeatures`, `PerceptualDistance`).
    Raises FeatureMetricError when they cannot be read.
    """

    names: tuple[str, ...] = ("frechet", "share_closed", "kid")

    def __init__(self, features: str | Path, heads: str | Path | None = None):
        self.network = _load(features, SqueezeFeatures)
        self.distance = None if heads is None else _load(heads, PerceptualDistance)

    @torch.inference_mode()
    def measure(self, rows: Rows) -> MetricTable:
        """As FeatureMetric: `lpips_like` of every row but truth, and `features` (B, 512)."""
        table: MetricTable = {}
        true = self.network.maps(rows["truth"])
        units = [unit(m) for m in true]
        for name, rgb in rows.items():
            maps = true if name == "truth" else self.network.maps(rgb)
            table[name] = {"features": maps[-1].mean(dim=(2, 3))}
            if self.distance is not None and name != "truth":
                table[name]["lpips_like"] = self.distance.from_units(maps, units)
        return table

    def summarize(self, features: Mapping[str, Tensor]) -> Callable[[Tensor], Means]:
        """As FeatureMetric: `frechet`, `share_closed`, `kid`."""
        truth = features["truth"]
        rows = {name: row for name, row in features.items() if name != "truth"}
        kid = {name: metrics.PairedKernelDistance(row, truth) for name, row in rows.items()}

        def of_some(places: Tensor) -> Means:
            frechet = _frechet(rows, truth, places)
            gray = frechet["gray"]
            return {
                name: {
                    "frechet": frechet[name],
                    "share_closed": 1 - frechet[name] / gray if gray > _NO_DISTANCE else None,
                    "kid": kid[name](places),
                }
                for name in rows
            }

        return of_some


class SqueezeFeatures(nn.Module):
    """SqueezeNet 1.1: rgb (B, 3, H, W) in [0, 1] -> features (B, 512), the mean over the last map.

    `weights` is a .safetensors file with torchvision's names (`features.*`), trained on BGR in
    0..255 less ImageNet's means (keras-squeezenet). Raises OSError when the file cannot be read
    and RuntimeError when its tensors are not SqueezeNet's. For ranking models on the same pictures,
    not for comparison with published FIDs.
    """

    means: Tensor

    def __init__(self, weights: str | Path):
        super().__init__()
        self.features = squeezenet1_1(padding=0)
        self.load_state_dict(load_file(str(weights)))
        self.register_buffer("means", torch.tensor(_BGR_MEANS).view(1, 3, 1, 1), persistent=False)
        self.eval().requires_grad_(False)
        self.to(memory_format=torch.channels_last)  # as `maps` puts in: half the time on a CPU

    def forward(self, rgb: Tensor) -> Tensor:
        """Features (B, 512) of rgb (B, 3, H, W) in [0, 1]."""
        return self.maps(rgb)[-1].mean(dim=(2, 3))

    def maps(self, rgb: Tensor) -> list[Tensor]:
        """The seven maps (B, C, h, w) that LPIPS compares, of rgb (B, 3, H, W) in [0, 1]."""
        bgr = rgb.flip(1).contiguous(memory_format=torch.channels_last)
        return tapped(self.features, _TAPS, 255 * bgr - self.means)


class PerceptualDistance(nn.Module):
    """LPIPS-like: `SqueezeFeatures.maps` of two pictures -> distance (B,), 0 for the same.

    `heads` is a .safetensors file with the linear heads of LPIPS 0.1 (`lin0.model.1.weight` to
    lin6), which were fitted to another SqueezeNet's maps: for ranking models on the same pictures,
    not for comparison with published LPIPS. Raises OSError when the file cannot be read and
    RuntimeError when it holds other tensors. Source: Zhang et al. 2018, equation 1.
    """

    def __init__(self, heads: str | Path):
        super().__init__()
        state = load_file(str(heads))
        names = [f"lin{i}.model.1.weight" for i in range(len(_TAPS))]
        shapes = [tuple(state[name].shape) if name in state else () for name in names]
        if shapes != [(1, channels, 1, 1) for channels in _TAPS.values()]:
            raise RuntimeError(f"no heads of LPIPS on SqueezeNet 1.1: {', '.join(state)[:80]}")
        self.heads = nn.ParameterList(state[name].float() for name in names).requires_grad_(False)

    def forward(self, fake: list[Tensor], real: list[Tensor]) -> Tensor:
        """Seven maps (B, C, h, w) of each -> (B,)."""
        return self.from_units(fake, [unit(r) for r in real])

    def from_units(self, fake: list[Tensor], real: list[Tensor]) -> Tensor:
        """As `forward`, where the real maps' vectors have been made `unit` vectors before."""
        distance = torch.zeros(len(fake[0]))
        for f, r, head in zip(fake, real, self.heads, strict=True):
            distance += unit(f).sub_(r).square_().mean((2, 3)) @ head.flatten()
        return distance


def unit(x: Tensor) -> Tensor:
    """Scale the vectors along the channels of (B, C, h, w) to length 1."""
    return x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) + 1e-10)


class TorchMetrics:
    """The published LPIPS (AlexNet) and FID (Inception v3), by torchmetrics' own nets.

    LPIPS needs torchvision's weights of AlexNet (its heads come with torchmetrics); FID needs the
    package torch-fidelity and its weights of Inception. Both are fetched on first use. The
    Fréchet distance itself is `metrics.frechet_distance`, which bears fewer photos than features.
    Raises FeatureMetricError when something is missing and cannot be fetched.
    """

    names: tuple[str, ...] = ("fid",)

    def __init__(self) -> None:
        self.lpips = _published("LPIPS", _lpips)
        self.inception = _published("FID", _inception)

    @torch.inference_mode()
    def measure(self, rows: Rows) -> MetricTable:
        """As FeatureMetric: `lpips` of every row but truth, and `features` (B, 2048)."""
        table: MetricTable = {}
        for name, rgb in rows.items():
            table[name] = {"features": self.inception((255 * rgb).round().byte())}
            if name != "truth":
                # its net, as calls of the metric itself add to a sum that threads would share
                table[name]["lpips"] = self.lpips.net(rgb, rows["truth"], normalize=True).view(-1)
        return table

    def summarize(self, features: Mapping[str, Tensor]) -> Callable[[Tensor], Means]:
        """As FeatureMetric: `fid`."""
        truth = features["truth"]
        rows = {name: row for name, row in features.items() if name != "truth"}
        return lambda places: {
            name: {"fid": value} for name, value in _frechet(rows, truth, places).items()
        }


def _frechet(rows: Rows, truth: Tensor, places: Tensor) -> dict[str, float]:
    """Fréchet distance from the truth of each row's features, over the photos at `places`."""
    true = truth[places]
    return {name: metrics.frechet_distance(row[places], true) for name, row in rows.items()}


def _lpips() -> "LearnedPerceptualImagePatchSimilarity":
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    return LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)


def _inception() -> nn.Module:
    from torchmetrics.image.fid import FrechetInceptionDistance

    return FrechetInceptionDistance(normalize=True).inception


def _load(path: str | Path, net: Callable[[str | Path], T]) -> T:
    try:
        return net(path)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise FeatureMetricError(one_line(error), path) from error


def _published(name: str, net: Callable[[], T]) -> T:
    try:
        return net()
    except ModuleNotFoundError as error:
        reason = f"it needs a package that is not installed: {error}"
    except (OSError, RuntimeError) as error:
        reason = f"its weights are not here and could not be fetched: {error}"
    raise FeatureMetricError(" ".join(reason.split()), name)
