"""What the bundled `default` promises, on photos that come with scikit-image."""

import hashlib
from itertools import combinations
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import skimage.data
import torch
from safetensors import safe_open
from skimage.color import lab2rgb, rgb2lab

from pix2pix import Colorizer, metrics, weights
from pix2pix.colorize.engines.chance import draw
from pix2pix.colorize.engines.torch import TorchEngine
from pix2pix.data.film import sketch
from pix2pix.evaluate.photos import to_tensor
from pix2pix.evaluate.variants import differences

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")


@pytest.fixture(scope="module")
def colorizer():
    return Colorizer.from_pretrained()


def photo(name):
    return getattr(skimage.data, name)()[..., :3][:384, :512]


def gray(name):
    return np.repeat(getattr(skimage.data, name)()[..., None], 3, 2)


def chroma(rgb):
    return np.linalg.norm(rgb2lab(rgb)[..., 1:], axis=-1).mean()


def in_one_tint(rgb, a, b):
    lab = rgb2lab(rgb)
    lab[..., 1:] = a, b
    return (lab2rgb(lab) * 255).round().astype(np.uint8)


@pytest.mark.slow
def test_photos_come_nearer_to_the_truth_than_by_no_color_or_one(colorizer):
    rows = {"model": [], "gray": [], "sepia": []}
    for name in PHOTOS:
        truth = photo(name)
        made = {"model": colorizer.rgb(truth), "gray": in_one_tint(truth, 0, 0)}
        made["sepia"] = in_one_tint(truth, -2.4, 11)
        for row, rgb in made.items():
            rows[row].append(metrics.psnr(*(to_tensor(x[None]) for x in (rgb, truth))).item())
    model, *others = (np.mean(rows[row]) for row in ("model", "gray", "sepia"))
    assert model > max(others) + 0.5


def test_a_face_has_the_color_of_skin(colorizer):
    face = rgb2lab(colorizer.rgb(photo("astronaut")))[80:190, 190:250, 1:].reshape(-1, 2)
    a, b = face.mean(0)
    assert 5 < a < 30 and 5 < b < 35
    assert (face[:, 0] > 0).mean() > 0.97  # no green on it


@pytest.mark.parametrize(("name", "most"), [("page", 5), ("text", 10)])
def test_pages_stay_gray(colorizer, name, most):
    assert chroma(colorizer.rgb(gray(name))) < most


@pytest.mark.parametrize("name", PHOTOS[:3])  # an empty gray sky stays a sky when drawn
def test_drawings_stay_nearly_gray(colorizer, name):
    L = torch.from_numpy(rgb2lab(photo(name))[..., 0]).float()[None, None] / 50 - 1
    drawn = ((sketch(L, torch.zeros(1, 1, 1, 1))[0, 0] + 1) * 127.5).round().byte().numpy()
    assert chroma(colorizer.rgb(np.repeat(drawn[..., None], 3, 2))) < 10


@pytest.mark.slow
@pytest.mark.parametrize("name", PHOTOS)
def test_hinted_pixels_come_out_within_5_of_the_hint(colorizer, name):
    """Colors that sRGB has at the pixel's lightness: those of a color photo, at other places."""
    truth = rgb2lab(photo(name))
    rng = np.random.default_rng(0)
    hints, wanted = [], []
    while len(hints) < 8:
        y, x = (int(rng.integers(20, side - 20)) for side in truth.shape[:2])
        color = np.array([truth[y, x, 0], *rng.uniform(-25, 25, 2)])
        rgb = (lab2rgb(color) * 255).round()
        if np.abs(rgb2lab(rgb / 255) - color).max() < 1:
            hints.append((x, y, tuple(int(v) for v in rgb)))
            wanted.append(color)
    for hint, color in zip(hints, wanted, strict=True):
        x, y, _ = hint
        found = rgb2lab(colorizer.rgb(photo(name), hints=[hint]))[y, x]
        difference = metrics.ciede2000(*(torch.tensor(lab).view(3, 1, 1) for lab in (color, found)))
        assert difference.item() < 5


@pytest.mark.slow
def test_three_takes_differ_mostly_in_hue(colorizer):
    apart, parts = [], torch.zeros(2)
    for name in PHOTOS:
        takes = [to_tensor(colorizer.rgb(photo(name), seed=seed)[None]) for seed in (1, 2, 3)]
        for a, b in combinations(takes, 2):
            apart.append(metrics.delta_e2000(a, b).item())
            parts += differences(a, b)[:, 0]
    assert np.mean(apart) > 2
    assert parts[0] / parts[1] > 0.5


EXPORTED = ["default"]  # the course's weights are for where torch is


def test_these_have_an_onnx_file_and_no_other_is_there():
    names = {path.name for path in Path(str(weights.BUNDLED)).iterdir()}
    assert {f"{name}.onnx" for name in EXPORTED} == {n for n in names if "onnx" in n}


@pytest.mark.parametrize("name", EXPORTED)
def test_the_onnx_file_is_of_these_weights(name):
    """Where it is stale, scripts/export_bundled.sh makes it again."""
    source = weights.find(name)
    notes = {p.key: p.value for p in onnx.load(source.with_suffix(".onnx")).metadata_props}
    assert notes["weights_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    with safe_open(source, "np") as file:
        assert notes["pix2pix"] == file.metadata()["pix2pix"]


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTED)
def test_the_onnx_file_answers_as_the_weights_do(name):
    generator, header = weights.load(name)
    engine, path = TorchEngine(generator), weights.find(name).with_suffix(".onnx")
    run = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    size = 2 * generator.multiple, 3 * generator.multiple
    x = np.random.default_rng(0).uniform(-1, 1, (2, header.in_channels, *size)).astype(np.float32)
    x[:, 1:] = 0
    for seed in (0, 1):
        if seed and header.in_channels == 4:
            x[0, 1:, 20:22, 30:31] = np.array([0.3, -0.4, 1]).reshape(3, 1, 1)
        chances = draw(engine.chances, *size, seed, batch=2)
        found = engine.run(x, chances)
        named = {f"chance{i}": values for i, values in enumerate(chances)}
        for part, array in zip(found, run.run(list(found), {"source": x, **named}), strict=True):
            assert np.abs(array - found[part]).max() < (1e-3 if part == "logits" else 1e-4)
        for name in engine.asides:
            (found,) = run.run([name], {"source": x, **named})
            assert np.abs(found - engine.aside(name, x)).max() < 1e-3
        x[:1, 1:, 20:22, 30:31] = np.array([0.3, -0.4, 1]).reshape(3, 1, 1)[
            : header.in_channels - 1
        ]
