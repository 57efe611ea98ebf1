"""The gates: a net that dulls colors, or shifts them, does not pass; the same net does."""

import math

import numpy as np
import pytest
from photo_sets import fill
from tiny_graphs import write_graph

from pix2pix import cli
from pix2pix.color import lab_to_rgb8
from pix2pix.colorize.colorizer import Colorizer
from pix2pix.colorize.compress.gates import Gates, compare, pass_times
from pix2pix.colorize.compress.photos import inputs_of, read_photos
from pix2pix.errors import DataError


@pytest.fixture(scope="module")
def photos():
    """Pictures whose colors the tiny net nearly gives: a* is L in [-1, 1] times 50, b* minus it."""
    rng = np.random.default_rng(0)
    L = np.kron(rng.uniform(25, 75, (3, 8, 8)), np.ones((8, 8))).astype(np.float32)
    return [lab_to_rgb8(np.stack([one, one - 50, 50 - one])) for one in L]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A function from gain to the tiny net of that gain."""
    folder = tmp_path_factory.mktemp("nets")

    def load(gain, **header):
        path = write_graph(folder / f"{gain}-{len(header)}.onnx", gain, **header)
        return Colorizer.from_pretrained(path, engine="onnx")

    return load


def verdicts(gates):
    return [passed for _, passed in gates.checks()]


def test_the_same_net_passes(model, photos):
    gates = compare(model(0.5), model(0.5), photos)
    assert (gates.photos, gates.chroma, gates.delta_e, gates.psnr) == (3, 1, 0, 0)
    assert gates.passed
    assert all(line.endswith(": pass") for line in gates.lines())


def test_a_net_that_dulls_fails_by_its_chroma_and_a_calibrated_one_passes(model, photos):
    dulled = compare(model(0.5), model(0.475), photos)
    assert dulled.chroma == pytest.approx(0.95, abs=0.005)
    assert verdicts(dulled)[0] is False
    assert compare(model(0.5), model(0.475, saturation=0.5 / 0.475), photos).passed


def test_a_net_that_shifts_hues_fails_though_its_chroma_stays(model, photos):
    gates = compare(model(0.5), model(-0.5), photos)
    assert gates.chroma == pytest.approx(1, abs=0.1)  # within what sRGB has of both hues
    assert gates.delta_e > 5
    assert gates.worst >= gates.delta_e
    assert verdicts(gates)[1] is False


def test_the_third_gate_is_the_distance_to_the_truth(model, photos):
    ours, theirs = model(0.45), model(0.2)
    errors = [
        [np.square(m.rgb(p) - p.astype(float)).mean() for p in photos] for m in (ours, theirs)
    ]
    expected = np.mean(10 * np.log10(np.divide(*errors)))
    gates = compare(ours, theirs, photos)
    assert gates.psnr == pytest.approx(expected)
    assert expected < -1
    assert verdicts(gates)[2] is False


@pytest.mark.parametrize("field", ["chroma", "delta_e", "psnr"])
def test_what_is_no_number_does_not_pass(field):
    good = {"photos": 1, "chroma": 1.0, "delta_e": 0.0, "worst": 0.0, "psnr": 0.0}
    assert Gates(**good).passed
    assert not Gates(**good | {field: math.nan}).passed


def test_without_photos_or_colors_there_is_nothing_to_compare(model, photos):
    with pytest.raises(DataError, match="no photos"):
        compare(model(0.5), model(0.5), [])
    with pytest.raises(DataError, match="no color"):
        compare(model(0.0), model(0.5), photos)


def test_photos_are_read_small_and_in_two_parts(tmp_path):
    fill(tmp_path, 7)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    first, second = read_photos(tmp_path, count=3)
    assert len(first) + len(second) in (5, 6)  # the broken one may be among them
    every = [rgb.tobytes() for rgb in first + second]
    assert len(set(every)) == len(every)
    assert max(rgb.shape[0] for rgb in first) <= 256
    with pytest.raises(DataError, match="no folder"):
        read_photos(tmp_path / "missing")


def test_a_net_sees_photos_as_in_coloring_them(model, photos):
    tiny = model(0.5)
    seen = inputs_of(tiny, photos)
    assert len(seen) == len(photos)
    assert seen[0]["source"].shape == (1, 1, 64, 64)
    tiny.smooths = False
    answer = tiny.engine.run(seen[1]["source"])["answer"]
    np.testing.assert_array_equal(answer[0], tiny.predict(photos[1]))


def test_times_are_of_each_engine(model, photos):
    source = np.zeros((1, 1, 512, 512), np.float32)
    times = pass_times([model(0.5).engine] * 2, source, passes=3)
    assert len(times) == 2
    assert min(times) > 0


def test_the_command_says_which_gate_fails(tmp_path, model, photos, capsys):
    fill(tmp_path / "photos", 4)
    same, dull = (str(write_graph(tmp_path / f"{g}.onnx", g)) for g in (0.5, 0.4))
    assert cli.main(["gates", same, same, "--data", str(tmp_path / "photos")]) == 0
    assert "FAIL" not in capsys.readouterr().out
    assert cli.main(["gates", same, dull, "--data", str(tmp_path / "photos")]) == 1
    assert capsys.readouterr().out.startswith("chroma -")
