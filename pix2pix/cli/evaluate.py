"""The command `pix2pix evaluate`; __main__.py registers it.

Only typer is imported up here, so that `pix2pix --help` stays quick.
"""

import json
import math
import sys
from typing import TYPE_CHECKING, Annotated, NamedTuple

from typer import Argument, BadParameter, Option

from pix2pix.cli import packages
from pix2pix.cli.console import finish, import_drawing, load_model, reported, write_file
from pix2pix.cli.options import Device, Engine
from pix2pix.errors import DataError, PhotoError
from pix2pix.terminal import encoding_of, put

if TYPE_CHECKING:
    from pix2pix.colorize.colorizer import Colorizer
    from pix2pix.evaluate.curves import Curve
    from pix2pix.evaluate.feature_metrics import FeatureMetric

_Data = Annotated[str, Argument(metavar="DATA", help="A folder of color photos.")]
_Weights = Annotated[str | None, Option(metavar="W", help="As for colorize; default by default.")]
_Features = Annotated[
    str | None, Option(metavar="PATH", help="SqueezeNet 1.1: Fréchet distance, share closed, KID.")
]
_Heads = Annotated[
    str | None, Option(metavar="PATH", help="LPIPS heads: LPIPS-like distance on --features.")
]
_TorchMetrics = Annotated[
    bool, Option("--torchmetrics", help="Published LPIPS and FID; fetches their nets.")
]
_Compare = Annotated[
    tuple[str, str] | None,
    Option(metavar="A B", help="Two weights on the same photos, instead of --weights."),
]
_Against = Annotated[
    str | None, Option(metavar="FOLDER", help="Score another tool's results there, by name.")
]
_Hints = Annotated[
    str | None, Option(metavar="N,N", help="PSNR gained by so many hints, such as 1,10,100.")
]
_Film = Annotated[bool, Option("--film", help="PSNR lost when the photo comes as from old film.")]
_Sizes = Annotated[bool, Option("--sizes", help="How colors change when the input is scaled.")]
_Takes = Annotated[
    bool, Option("--takes", help="How variants by three seeds differ, and what each costs.")
]
_Saturations = Annotated[
    str | None, Option(metavar="X,X", help="What so many times the chroma costs, such as 0.8,1.5.")
]
_Frontier = Annotated[
    bool, Option("--frontier", help="PSNR at equal color, and color at equal PSNR.")
]
_Size = Annotated[int, Option(min=16, help="Side of the center crops.")]
_Json = Annotated[str | None, Option("--json", metavar="FILE", help="Write all metrics there.")]
_Html = Annotated[
    str | None, Option(metavar="FILE", help="Write a page there; it holds your photos.")
]


class _Curves(NamedTuple):
    """The curves that are asked for, by their options."""

    hints: list[int]
    film: bool
    sizes: bool
    takes: bool
    saturations: list[float]
    frontier: bool

    def of(self, model: "Colorizer") -> "list[Curve]":
        """The curves of a model. Raises BadHint when it takes no hints."""
        from pix2pix.evaluate import curves
        from pix2pix.evaluate.frontier import FrontierCurve
        from pix2pix.evaluate.variants import VariantCurve

        found: list[Curve] = [curves.HintCurve(model, self.hints)] if self.hints else []
        found += [curves.FilmCurve(model)] if self.film else []
        found += [curves.SizeCurve(model)] if self.sizes else []
        found += [VariantCurve(model)] if self.takes else []
        found += [curves.SaturationCurve(model, self.saturations)] if self.saturations else []
        found += [FrontierCurve(model)] if self.frontier else []
        return found


def evaluate(
    data: _Data,
    weights: _Weights = None,
    features: _Features = None,
    heads: _Heads = None,
    torchmetrics: _TorchMetrics = False,
    compare: _Compare = None,
    against: _Against = None,
    hints: _Hints = None,
    film: _Film = False,
    sizes: _Sizes = False,
    takes: _Takes = False,
    saturations: _Saturations = None,
    frontier: _Frontier = False,
    size: _Size = 256,
    json_file: _Json = None,
    html: _Html = None,
    device: Device = "auto",
    engine: Engine = "auto",
) -> None:
    """Compare a model with the true colors of DATA, beside gray and constant sepia.

    Means over the photos with 95 % bootstrap intervals: PSNR, SSIM, CIEDE2000 and colorfulness
    beside the truth's, chroma and hue of strong colors, and the share of the error that is of
    large areas. --features and --heads, or --torchmetrics, add feature metrics, distances
    that pretrained nets measure. --hints, --film, --sizes, --takes and --saturations color the
    photos again under other conditions; --frontier scales the colors found.
    """
    if heads is not None and features is None:
        raise BadParameter("--heads needs --features")
    if torchmetrics or html is not None:
        packages.need("torch", "evaluating with --torchmetrics or --html", "train")
    curves = _Curves(_counts(hints), film, sizes, takes, _factors(saturations), frontier)
    if compare is not None and weights is not None:
        raise BadParameter("--compare takes the place of --weights")
    if compare is not None and any(curves):
        named = ", ".join(f"--{curve}" for curve in curves._fields)
        raise BadParameter(f"{named} are for one model, not for --compare")
    from pix2pix import evaluate as evaluation
    from pix2pix.evaluate.feature_metrics import FeatureMetricError

    page = None if html is None else import_drawing("pix2pix.report.evaluation_page", html)
    sources = compare or (weights or "default",)
    models = [load_model(source, device, engine) for source in sources]
    kinds = (DataError, PhotoError, OSError, RuntimeError)  # such as a device out of memory
    with reported(data, *kinds), reported(None, FeatureMetricError):
        result = evaluation.evaluate(
            data,
            models[0],
            size=size,
            other=models[1] if compare else None,
            against=against,
            feature_metrics=_feature_metrics(features, heads, torchmetrics),
            curves=curves.of(models[0]),
        )
    try:
        if json_file is not None:
            text = json.dumps(_strict(result), indent=1, allow_nan=False) + "\n"
            write_file(text.encode, json_file)
        if html is not None and page is not None:
            write_file(lambda: page.build_evaluation_page(result, models).encode(), html)
    finally:  # files first: a terminal can fail; and a full disk does not cost the table
        put(evaluation.format_table(result, encoding=encoding_of(sys.stdout)))
    finish(result["skipped"] + result.get("missing", []))


def _feature_metrics(
    features: str | None, heads: str | None, torchmetrics: bool
) -> "list[FeatureMetric]":
    """Load the nets of those that are asked for. Raises FeatureMetricError."""
    from pix2pix.evaluate.feature_metrics import SqueezeNetMetrics, TorchMetrics

    found: list[FeatureMetric] = [] if features is None else [SqueezeNetMetrics(features, heads)]
    found += [TorchMetrics()] if torchmetrics else []
    return found


def _strict(value: object) -> object:
    """Replace NaN and infinity, which JSON lacks, by null."""
    if isinstance(value, dict):
        return {key: _strict(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_strict(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _counts(text: str | None) -> list[int]:
    """Parse "1,10,100" -> [1, 10, 100]."""
    from pix2pix.colorize.hints import MOST_HINTS

    parts = [] if text is None else text.split(",")
    if not all(part.strip().isdecimal() and 1 <= int(part) <= MOST_HINTS for part in parts):
        raise BadParameter(f"--hints are counts of 1 to {MOST_HINTS} as 1,10,100, not {text}")
    return [int(part) for part in parts]


def _factors(text: str | None) -> list[float]:
    """Parse "0.8,1.5" -> [0.8, 1.5], to three decimals."""
    try:
        factors = [] if text is None else [round(float(part), 3) for part in text.split(",")]
    except ValueError:
        factors = [math.nan]
    if not all(0 <= factor <= 10 for factor in factors):
        raise BadParameter(f"--saturations are factors of 0 to 10 as 0.8,1.5, not {text}")
    return factors
