"""16 bits through coloring: lightness of all levels, files, arrays, and the old way."""

import io
import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pix2pix import color, images
from pix2pix.colorize import Colorizer, Wish, folders, jobs, pipe
from pix2pix.colorize.copies import color_photo
from pix2pix.colorize.recolor import recolor16
from pix2pix.images.depth import Deep

RAMP = np.arange(65536, dtype=np.uint16).reshape(256, 256)
CHANCE = np.random.default_rng(0)


def gray_of(rgb: np.ndarray) -> np.ndarray:
    """RGB (H, W, 3) uint16 -> the gray of the same luminance in [0, 65535], in float64."""
    v = rgb / 65535
    linear = np.where(v > 0.0404482, ((v + 0.055) / 1.055) ** 2.4, v / 12.92)
    light = linear @ np.array(color.LINEAR_TO_XYZ[1])
    return 65535 * np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light)


def chroma(strength: float) -> np.ndarray:
    return CHANCE.normal(0, strength, (2, 8, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    return Colorizer.from_pretrained(engine="onnx")


def test_a_ramp_without_chroma_comes_back():
    result = recolor16(RAMP, np.zeros((2, 8, 8), np.float32)).astype(int)
    assert np.abs(result - RAMP[..., None]).max() <= 2
    assert np.diff(result[..., 1].ravel()).min() >= 0


@pytest.mark.parametrize("strength", [3, 15, 60])
def test_every_level_keeps_its_lightness(strength: float):
    result = recolor16(RAMP, chroma(strength))
    assert np.abs(gray_of(result) - RAMP).max() < 8  # of 65,536; the bar is 256
    assert np.ptp(result.astype(int), axis=2).max() > 1000  # and it is in color


def test_chroma_has_no_steps():
    """A sky: neighbors differ by no more than the slope of ab, where a table in 8 bits steps."""
    sky = np.full((64, 4096), 40_000, np.uint16)
    ab = np.zeros((2, 2, 16), np.float32)
    ab[1] = np.linspace(-20, 0, 16)
    blue = recolor16(sky, ab)[32, :, 2].astype(int)
    assert np.abs(np.diff(blue)).max() < 16 and np.ptp(blue) > 5000


@pytest.mark.slow
def test_an_array_keeps_its_16_bits(colorizer: Colorizer):
    alpha = RAMP[::-1].copy()
    for given in (RAMP, RAMP[..., None], np.dstack([RAMP, RAMP, RAMP, alpha])):
        result = colorizer(given)
        assert result.dtype == np.uint16 and result.shape[:2] == RAMP.shape
        assert np.abs(gray_of(result[..., :3]) - RAMP).max() < 8
        assert result.shape[2] == 3 or (result[..., 3] == alpha).all()
    with pytest.raises(ValueError, match="do not fit"):
        colorizer.color16(np.zeros((4, 5, 3), np.uint8), RAMP, Wish())


def run(colorizer: Colorizer, source: Path, out: Path, **options: int) -> Path:
    found = jobs.find([str(source)], out=str(out))
    make = partial(color_photo, model=colorizer)
    (record,) = folders.make_copies(found, lambda: make, folders.FileOptions(**options))
    assert record.status == "colored" and record.output is not None, record
    assert record.warnings == ([] if options.get("depth") == 16 else ["16-bit gray" + LOST])
    return Path(record.output)


LOST = " becomes 8 bit (white is 65,535)"


def saved(path: Path) -> Path:
    Image.fromarray(RAMP).save(path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ramp.tif", "ramp.png"])
def test_a_file_of_16_bits_gives_one(colorizer: Colorizer, tmp_path: Path, name: str):
    output = run(colorizer, saved(tmp_path / name), tmp_path / "out", depth=16)
    assert output.suffix == Path(name).suffix
    deep = images.read(output, deep=True).deep
    assert deep is not None and np.abs(deep.grays.astype(int) - RAMP).max() < 8


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ramp.tif", "ramp.png"])
@pytest.mark.parametrize("dest", ["out", "out.jpg"])
def test_8_bits_are_as_ever(colorizer: Colorizer, tmp_path: Path, name: str, dest: str):
    source, deep = saved(tmp_path / name), {} if dest == "out" else {"depth": 16}
    photo = images.read(source)
    expected = tmp_path / ("expected.jpg" if dest != "out" else f"expected{source.suffix}")
    rgb = colorizer.color(photo.rgb)
    images.write(rgb, expected, like=photo, model=colorizer.name)
    if deep:  # JPEG has no place for 16 bits: they are not even read
        found = jobs.find([str(source)], out=str(tmp_path / dest))
        make = partial(color_photo, model=colorizer)
        options = folders.FileOptions(**deep)
        (record,) = folders.make_copies(found, lambda: make, options)
        assert record.warnings == ["16-bit gray" + LOST]
        output = tmp_path / dest
    else:
        output = run(colorizer, source, tmp_path / dest)
    assert output.read_bytes() == expected.read_bytes()


@pytest.mark.slow
def test_a_pipe_keeps_16_bits_too(colorizer: Colorizer, tmp_path: Path, monkeypatch):
    class Stream:
        buffer = io.BytesIO()

    monkeypatch.setattr("sys.stdout", Stream)
    make = partial(color_photo, model=colorizer)
    options = folders.FileOptions(depth=16)
    (record,) = pipe.make_copy(str(saved(tmp_path / "a.png")), "-", lambda: make, options)
    assert record.status == "colored"
    assert images.read(Stream.buffer.getvalue(), deep=True).deep is not None


@pytest.mark.slow
def test_it_takes_less_than_24_bytes_a_pixel(colorizer: Colorizer, tmp_path: Path):
    """All that numpy and Python hold from the colors to the file, and the photo itself."""
    side = 1200
    grays = CHANCE.integers(0, 65536, (side, side), dtype=np.uint16)
    plane = (grays >> 8).astype(np.uint8)[..., None]
    rgb = np.broadcast_to(plane, (side, side, 3))
    photo = images.Photo(rgb, None, "TIFF", deep=Deep(grays))
    tracemalloc.start()
    try:
        made = color_photo(photo, colorizer)
        made.write(tmp_path / "a.tif")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    held = grays.nbytes + plane.nbytes
    assert (peak + held) / side**2 < 24
