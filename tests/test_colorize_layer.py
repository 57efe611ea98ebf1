"""The color layer: over the gray photo in the blend mode Color it gives the colored one."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data
from skimage.color import deltaE_ciede2000, rgb2lab

from pix2pix import cli, images
from pix2pix.colorize import Colorizer, folders, jobs
from pix2pix.colorize.copies import layer_photo
from pix2pix.images.names import is_output, output_name
from pix2pix.images.task import LAYER

LUMA = np.array([0.3, 0.59, 0.11])  # of Photoshop, PDF and W3C
PHOTO = np.asarray(Image.fromarray(data.astronaut()).convert("L").resize((256, 256)))
PHOTO = PHOTO[..., None].repeat(3, 2)


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    return Colorizer.from_pretrained(engine="onnx")


def blended(layer: np.ndarray, below: np.ndarray) -> np.ndarray:
    """The blend mode Color, SetLum(Cs, Lum(Cb)), as W3C's Compositing and Blending has it.

    Of RGB (H, W, 3) in [0, 1].
    """
    luma = LUMA
    result = layer + (below @ luma - layer @ luma)[..., None]
    lum = (result @ luma)[..., None]
    least, most = result.min(-1, keepdims=True), result.max(-1, keepdims=True)
    result = np.where(least < 0, lum + (result - lum) * lum / np.maximum(lum - least, 1e-9), result)
    over = lum + (result - lum) * (1 - lum) / np.maximum(most - lum, 1e-9)
    return np.where(most > 1, over, result)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """The mean CIEDE2000 of RGB in [0, 1]."""
    return deltaE_ciede2000(rgb2lab(one), rgb2lab(other)).mean()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_blend_is_the_colored_photo(colorizer: Colorizer, dtype: type):
    layer, colored = colorizer.layer(PHOTO, dtype=dtype), colorizer.rgb(PHOTO) / 255
    assert layer.dtype == dtype
    found = distance(blended(layer / np.iinfo(dtype).max, PHOTO / 255), colored)
    assert found < 1 and found < 0.15 * distance(PHOTO / 255, colored)


def test_it_has_nothing_of_the_photo_but_its_color(colorizer: Colorizer):
    layer = colorizer.layer(PHOTO, dtype=np.uint16) / 65535
    assert np.abs(layer @ LUMA - 0.5).max() < 1e-3  # no lightness
    detail = np.abs(np.diff(layer, axis=0)).mean() / np.abs(np.diff(PHOTO / 255, axis=0)).mean()
    assert detail < 0.1  # and no grain


@pytest.mark.slow
def test_over_a_retouched_scan_too(colorizer: Colorizer):
    grain = np.random.default_rng(0).normal(0, 12, PHOTO.shape[:2])[..., None]
    scratched = np.clip(PHOTO + grain, 0, 255).astype(np.uint8)
    scratched[:, 100:102] = 255
    layer = colorizer.layer(scratched) / 255
    assert distance(blended(layer, PHOTO / 255), colorizer.rgb(PHOTO) / 255) < 2.5


def test_vivid_colors_have_room():
    from pix2pix.colorize.layer import color_layer

    lab = np.array([[[54.0]], [[78.0]], [[65.0]]], np.float32).repeat(4, 1)  # red, nearly
    layer = color_layer(lab[:1], lab[1:], (8, 2), np.uint16)[0, 0] / 65535
    assert np.ptp(layer) > 0.9  # with a luma of one half, red would be beyond white


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.tif", "a.color-layer.tif"),
        ("a.png", "a.color-layer.png"),
        ("a.jpg", "a.jpg.color-layer.png"),
        ("a.gif", "a.gif.color-layer.png"),
    ],
)
def test_it_has_a_name_of_its_own(name: str, expected: str):
    assert output_name(name, task=LAYER) == expected
    assert is_output(expected) and not is_output(name)


@pytest.mark.slow
def test_a_folder_gives_layers_once(colorizer: Colorizer, tmp_path: Path):
    Image.fromarray(PHOTO[..., 0]).save(tmp_path / "a.jpg")
    Image.fromarray(PHOTO[..., 0].astype(np.uint16) * 257).save(tmp_path / "b.tif")
    make, options = partial(layer_photo, model=colorizer), folders.FileOptions(depth=16)

    def run() -> list[jobs.Record]:
        found = jobs.find([str(tmp_path)], task=LAYER)
        return sorted(folders.make_copies(found, lambda: make, options), key=lambda r: r.path)

    first, second = run()
    assert [Path(r.output or "").name for r in (first, second)] == [
        "a.jpg.color-layer.png",
        "b.color-layer.tif",
    ]
    layers = [images.read(r.output, deep=True) for r in (first, second)]  # type: ignore[arg-type]
    assert [layer.deep is not None for layer in layers] == [False, True]
    assert all(b"trainedAlgorithmicMedia" in (layer.xmp or b"") for layer in layers)
    assert {record.status for record in run()} == {"skipped"}


@pytest.mark.slow
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = tmp_path / "a.jpg"
    Image.fromarray(PHOTO[..., 0]).save(source)
    assert cli.main(["colorize", "--engine", "onnx", "--layer", str(source)]) == 0
    assert images.read(tmp_path / "a.jpg.color-layer.png").rgb.shape == PHOTO.shape
    assert (
        cli.main(
            ["colorize", "--engine", "onnx", "--layer", str(source), "-o", str(tmp_path / "x.jpg")]
        )
        == 1
    )
    assert "a color-layer is PNG or TIFF" in capsys.readouterr().err
    assert not (tmp_path / "x.jpg").exists()
    assert cli.main(["colorize", "--layer", "--mark", str(source)]) == 1
