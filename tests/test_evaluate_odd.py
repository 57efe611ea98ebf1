"""Evaluation of photos that tell little: one, gray ones among others, black ones, the same ones."""

import json
import math

import numpy as np
import pytest
import skimage.data
from PIL import Image

from pix2pix import evaluate as evaluation
from pix2pix.cli.evaluate import _strict
from pix2pix.errors import DataError
from pix2pix.evaluate import format_table
from pix2pix.evaluate.curves import FilmCurve, HintCurve, SaturationCurve, SizeCurve
from pix2pix.evaluate.feature_metrics import SqueezeNetMetrics
from pix2pix.evaluate.variants import VariantCurve
from pix2pix.metrics import kernel_distance


class Half:
    """A colorizer that gives the photo at half its chroma; it takes every option."""

    name = "half"
    takes_hints = True

    def rgb(self, rgb, hints=(), seed=None, saturation=1.0):
        gray = rgb.mean(2, keepdims=True)
        share = 0.5 if seed is None else 0.4 + 0.01 * seed
        return (gray + saturation * share * (rgb - gray)).clip(0, 255).astype(np.uint8)


class Same:
    """A feature metric whose features are the mean colors."""

    names = ("kid", "frechet", "share_closed")

    def measure(self, rows):
        return {name: {"features": rgb.mean((2, 3))} for name, rgb in rows.items()}

    def summarize(self, features):
        return SqueezeNetMetrics.summarize(self, features)


COLOR = [skimage.data.astronaut()[i : i + 64, 200:264] for i in range(0, 300, 60)]
GRAY = [np.repeat(rgb.mean(2, keepdims=True).astype(np.uint8), 3, 2) for rgb in COLOR]
BLACK = [np.zeros((64, 64, 3), np.uint8)] * 2
SETS = {
    "one": COLOR[:1],
    "two": COLOR[:2],
    "three": COLOR[:3],
    "five": COLOR,
    "one colored among gray": [COLOR[0], *GRAY[1:3]],
    "one colored, one black": [COLOR[0], BLACK[0]],
    "two the same": [COLOR[0]] * 2,
    "gray": GRAY,
    "one gray": GRAY[:1],
    "black": BLACK,
    "nearly gray": [rgb + np.array([3, 0, 0], np.uint8) for rgb in GRAY[:1]],
}
EVERYTHING = [
    HintCurve(Half(), (1, 2)),
    FilmCurve(Half()),
    SizeCurve(Half()),
    VariantCurve(Half()),
    SaturationCurve(Half(), (0, 2)),
]


def save(folder, pictures):
    folder.mkdir(parents=True)
    for i, rgb in enumerate(pictures):
        Image.fromarray(rgb).save(folder / f"{i}.png")
    return folder


def evaluate(folder, other=False, **options):
    options |= {"other": Half()} if other else {}
    return evaluation.evaluate(folder, Half(), size=32, feature_metrics=[Same()], **options)


def floats(part):
    if isinstance(part, dict):
        part = list(part.values())
    if isinstance(part, list):
        return [number for inner in part for number in floats(inner)]
    return [part] if isinstance(part, float) else []


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_every_set_ends_in_metrics_or_in_one_line(tmp_path):
    ended = {}
    for name, pictures in SETS.items():
        folder = save(tmp_path / name.replace(" ", "_"), pictures)
        for other, options in ((False, {"curves": EVERYTHING}), (True, {"against": folder})):
            try:
                result = evaluate(folder, other, **options)
            except DataError as error:
                assert "\n" not in str(error)
                ended[name, other] = "one line"
                continue
            assert all(map(math.isfinite, floats(result))), name
            text = format_table(json.loads(json.dumps(result, allow_nan=False)))
            assert "nan" not in text and "inf" not in text and "None" not in text, text
            ended[name, other] = "metrics"
    lines = [key for key, how in ended.items() if how == "one line"]
    assert {name for name, _ in lines} == {"gray", "one gray", "black"}
    print(f"odd photos: {len(ended)} of {2 * len(SETS)} end in metrics or in one line")


def test_one_photo_has_no_interval_and_no_distance(tmp_path):
    folder = save(tmp_path / "one", COLOR[:1])
    result = evaluate(folder, other=True, against=folder)
    intervals = [result["intervals"], result["over_sepia"]["intervals"]]
    intervals += [result["compare"]["intervals"]]
    assert {v for part in intervals for row in part.values() for v in row.values()} == {None}
    assert {result["rows"]["model"][k] for k in Same.names} == {None}
    text = format_table(result)
    assert "±" not in text and "one photo has no interval" in text and "- undefined" in text
    assert text.splitlines()[1].split()[-3:] == ["-"] * 3
    assert "1 photo at 32 px" in text


def test_the_curves_of_one_photo_have_none_either(tmp_path):
    result = evaluate(save(tmp_path / "one", COLOR[:1]), curves=EVERYTHING)
    for curve in EVERYTHING:
        rows = result[curve.name]["intervals"].values()
        assert {value for row in rows for value in row.values()} == {None}, curve.name


def test_the_page_of_one_photo_says_nothing_of_intervals(tmp_path):
    from pix2pix.report.evaluation_page import build_evaluation_page

    folder = save(tmp_path / "one", COLOR[:1])
    html = build_evaluation_page(evaluate(folder), [Half()])
    assert "±" not in html and "nan" not in html.lower().replace("nance", "")
    assert "one photo has no interval" in html and "<td>-<" in html


def test_a_share_of_no_color_is_a_dash_and_null(tmp_path):
    """Of variants that are gray, no difference is one of hue."""

    class Gray(Half):
        def rgb(self, rgb, **_):
            return np.repeat(rgb[..., :1], 3, 2)

    folder = save(tmp_path / "two", COLOR[:2])
    result = evaluation.evaluate(folder, Gray(), size=32, curves=[VariantCurve(Gray())])
    assert result["takes"]["rows"]["together"]["hue_share"] is None
    last = format_table(result).splitlines()[-1]
    assert last.split() == ["of", "it", "hue", "-"]


def test_json_is_strict_whatever_comes():
    given = {"a": [math.nan, 1.0, {"b": math.inf}], "c": "NaN"}
    assert _strict(given) == {"a": [None, 1.0, {"b": None}], "c": "NaN"}


def test_kernel_distance_still_asks_for_two():
    import torch

    with pytest.raises(ValueError, match="N, M >= 2"):
        kernel_distance(torch.ones(1, 3), torch.ones(1, 3))
