"""The course's table: the committed one keeps its promises, and the script makes such a one."""

import json
from dataclasses import asdict

import course_table as script
import pytest
import torch
from PIL import Image
from places import ROOT

from pix2pix.data import worlds

COURSE = ROOT / "resources" / "course"
TABLE = json.loads((COURSE / "table.json").read_text())
ROWS = TABLE["rows"]


def seeds(world, row, figure):
    """What each seed of the committed table found."""
    return ROWS[world][row][figure]["seeds"]


# -- the committed table


def test_it_was_made_with_the_settings_of_the_script():
    assert TABLE["settings"] == {
        **{name: asdict(settings) for name, settings in script.RUNS.items()},
        "toy": asdict(script.TOY),
    }


def test_marbles_without_a_critic_have_no_marbles_color_and_with_one_they_do():
    assert len(seeds("marbles", "GAN", "near")) >= 3
    assert max(seeds("marbles", "L1", "near")) <= 0.10
    assert max(seeds("marbles", "L1, as long", "near")) <= 0.10  # time alone does not mend it
    assert min(seeds("marbles", "GAN", "near")) >= 0.75
    assert min(seeds("marbles", "GAN", "l1")) > max(seeds("marbles", "L1", "l1"))  # and its price


def test_the_marbles_take_less_than_three_minutes_and_the_toy_less_than_15_seconds():
    assert max(seeds("marbles", "GAN", "seconds")) < 180  # its start on L1 is in it
    assert max(seeds("toy", "GAN", "seconds")) < 15
    assert min(seeds("toy", "GAN", "modes")) >= 0.75


def test_the_critic_at_least_doubles_the_detail_of_a_quilt():
    for alone, with_critic in zip(
        seeds("quilt", "L1", "detail"), seeds("quilt", "GAN", "detail"), strict=True
    ):
        assert with_critic >= 2 * alone and with_critic >= 0.4


def test_the_noise_chooses_the_color():
    """Red, green or blue: its share differs by a third or more between two numbers, on any seed."""
    by_noise = ROWS["marbles"]["GAN + noise"]["by_noise"]
    for seed in range(len(by_noise[0]["near"])):
        spans = []
        for name in worlds.NAMES:
            each = [row[name][seed] for row in by_noise]
            spans.append(max(each) - min(each))
        assert max(spans) > 1 / 3


def test_photographs_are_those_of_the_model_card():
    rows = script.of_card(script.CARD.read_text())
    assert {"gray", "constant sepia", "default", "pix2pix-l1, no critic"} <= set(rows)
    assert {name: ROWS["photographs"][name] for name in rows} == rows


@pytest.mark.parametrize("name", script.MAX_BYTES)
def test_the_pictures_are_small_and_whole(name):
    path = COURSE / name
    assert path.stat().st_size <= script.MAX_BYTES[name]
    with Image.open(path) as image:
        image.load()
        frames = getattr(image, "n_frames", 1)
        assert frames >= script.FRAMES if "film" in name else frames == 1
        assert "film" not in name or image.width == script.FILM_WIDTH


# -- the script


def keys(found):
    """The keys of a table at all depths, and of a list those of its first item."""
    if isinstance(found, dict):
        return {name: keys(value) for name, value in found.items() if name != "interval"}
    return [keys(found[0])] if isinstance(found, list) and isinstance(found[0], dict) else None


@pytest.mark.slow
def test_a_short_run_makes_such_a_table_and_goes_on_where_it_was(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script, "PICTURES", 8)
    arguments = ["--seeds", "1", "--shorten", "200", "--kept", str(tmp_path / "kept")]
    script.main([*arguments, "--out", str(tmp_path)])
    made = json.loads((tmp_path / "table.json").read_text())
    assert keys(made["rows"]) == keys(ROWS)
    assert "| GAN + noise |" in capsys.readouterr().out
    assert {path.name for path in tmp_path.glob("*.webp")} == set(script.MAX_BYTES)
    monkeypatch.setattr(script, "train", None)  # what is kept is not trained again
    script.main([*arguments, "--out", str(tmp_path / "again")])
    again = json.loads((tmp_path / "again" / "table.json").read_text())
    assert made["rows"]["marbles"] == again["rows"]["marbles"]


@pytest.mark.slow
def test_l1_alone_paints_marbles_in_a_color_that_none_has():
    settings = script.RUNS["marbles: L1"]
    net, seconds = script.train(settings, seed=0)
    fake = script.answers(settings, net)
    found = script.measured(settings, fake)
    assert found["near"] <= 0.10 and found["l1"] < 0.08 and 0 < seconds < 60
    scenes = worlds.marbles(script.PICTURES, seed=script.HELD_OUT)
    pixels = 110 * fake.movedim(1, -1)[scenes.inside]
    median = worlds.COLORS.median(0).values
    assert (pixels.median(0).values - median).norm() < 15  # the median of the colors: brown


@pytest.mark.slow
def test_a_run_is_told_by_its_seed_and_ends_with_rates_near_zero():
    settings = script.Settings(start=1, steps=4, noise=1, apart=0.5)
    found = [script.train(settings, seed=seed)[0].state_dict() for seed in (1, 1, 2)]
    name = next(iter(found[0]))
    assert torch.equal(found[0][name], found[1][name])
    assert not torch.equal(found[0][name], found[2][name])


def test_summary_of_known_values():
    found = script.summary([1, 2, 3, 4])
    assert found["mean"] == 2.5 and found["seeds"] == [1, 2, 3, 4]
    half = 3.1824463 * 1.2909944 / 2  # Student's t with 3 degrees of freedom
    assert found["interval"] == pytest.approx([2.5 - half, 2.5 + half])
    half = 4.3026527 * 1 / 3**0.5  # and with 2
    assert script.summary([1, 2, 3])["interval"] == pytest.approx([2 - half, 2 + half])
    assert script.summary([0.5])["interval"] is None


def test_what_the_course_promises_has_an_interval_over_at_least_three_seeds():
    for name in script.PROMISED:
        world, row = name.split(": ")
        for figure, found in ROWS[world][row].items():
            assert found == script.summary(found["seeds"]), (name, figure)
            assert len(found["seeds"]) >= 3 and found["interval"]


def test_covered_counts_centers_with_enough_points():
    centers = script.ring(4000, torch.Generator().manual_seed(0))
    found = script.covered(centers)
    assert found["modes"] == 1 and found["close"] > 0.98  # within 3 sigma in two dimensions: 0.989
    one = torch.tensor([[2.0, 0.0]]).expand(100, 2)
    assert script.covered(one) == {"modes": 1 / 8, "close": 1}
    assert script.covered(torch.zeros(100, 2)) == {"modes": 0, "close": 0}


def test_noise_becomes_planes():
    x = script.with_noise(torch.zeros(2, 1, 3, 3), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert x.shape == (2, 3, 3, 3)
    assert x[1, 2].unique().tolist() == [4] and x[0, 0].unique().tolist() == [0]


def test_an_evaluation_becomes_rows_like_those_of_the_card():
    row = {"psnr": 22.5, "colorfulness": 20.0, "colorfulness_ratio": 0.47}
    ends = {"psnr": [22.0, 23.0], "colorfulness": None}
    names = ("gray", "sepia", "model")
    result = {"rows": dict.fromkeys(names, row), "intervals": dict.fromkeys(names, ends)}
    rows = script.of_evaluation(result)
    assert rows["model"]["PSNR"] == "22.50 ± 0.50 dB"
    assert rows["gray"] == rows["constant sepia"]
    assert rows["gray"]["colorfulness"] == "20.0" and rows["gray"]["of the truth's"] == "47 %"
