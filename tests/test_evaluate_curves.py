"""Curves against what is written in their docstrings, worked out by hand."""

import numpy as np
import pytest
import torch
from paint import Paint, crops
from PIL import Image
from skimage.color import deltaE_ciede2000, lab2rgb, rgb2lab
from skimage.metrics import peak_signal_noise_ratio

from pix2pix.color import rgb_to_net
from pix2pix.data.reveal import uniform_points
from pix2pix.errors import BadHint
from pix2pix.evaluate import evaluate
from pix2pix.evaluate.curves import (
    FilmCurve,
    HintCurve,
    SaturationCurve,
    SizeCurve,
    missed_by,
    renderings,
    true_hints,
)
from pix2pix.evaluate.photos import read_crops, to_tensor, to_uint8
from pix2pix.evaluate.variants import VariantCurve


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return crops(tmp_path_factory.mktemp("photos") / "in")


@pytest.fixture(scope="module")
def batch(photos):
    """Made bright and pale: skimage clips what the gamut has no room for, we compress it."""
    (found,) = read_crops(photos, 64, [], batch=8)
    found.truth = (255 * (0.45 + 0.45 * found.truth)).round() / 255
    return found


def colored(model, batch):
    return to_tensor(np.stack([model.rgb(photo) for photo in batch.rgb8]))


# ---- film


class Constant:
    """Everything in one a*, b*, whatever it is shown; keeps what that was."""

    name = "constant"

    def __init__(self, ab=(5.0, 12.0)):
        self.ab, self.seen = ab, []

    def rgb(self, rgb):
        self.seen.append(rgb)
        lab = rgb2lab(rgb)
        lab[..., 1:] = self.ab
        return (lab2rgb(lab) * 255).round().astype(np.uint8)


def test_wrong_grays_cost_nothing_where_the_colors_stay(photos):
    """A tint the gamut has room for nearly everywhere: nothing is lost however the L ages."""
    (batch,) = read_crops(photos, 64, [], batch=8)
    model = Constant((-2.4, 11.0))
    table = FilmCurve(model).measure(batch, colored(model, batch))
    for name in ("orthochromatic", "blue-only", "faded", "grainy"):
        assert table[name]["psnr_lost"].abs().max() < 0.2
    aged = np.stack(model.seen[-5 * 6 :])
    assert (aged[..., 0] == aged[..., 1]).all() and (aged[..., 1] == aged[..., 2]).all()


def test_film_scores_aged_colors_at_the_true_lightness(batch):
    class Fooled(Constant):
        """Tints by the mean lightness of what it sees."""

        def rgb(self, rgb):
            self.ab = (0.0, 0.08 * rgb.mean() - 7)
            return super().rgb(rgb)

    model = Fooled()
    table = FilmCurve(model).measure(batch, colored(model, batch))
    L = rgb_to_net(batch.truth)[0]
    aged = renderings(batch.truth, L, batch.positions)["faded"]
    gray = to_uint8(torch.from_numpy(lab2rgb(_lab(aged)).transpose(0, 3, 1, 2)))
    lost = table["faded"]["psnr_lost"]
    assert lost.abs().max() > 0.5
    for i, (truth, seen) in enumerate(zip(batch.rgb8, gray, strict=True)):
        scores = []
        for source in (truth, seen):
            lab = rgb2lab(model.rgb(source))
            lab[..., 0] = rgb2lab(truth)[..., 0]
            joined = (lab2rgb(lab).clip(0, 1) * 255).round().astype(np.uint8)
            scores.append(peak_signal_noise_ratio(truth, joined))
        assert lost[i].item() == pytest.approx(scores[0] - scores[1], abs=0.05)
    lost = [table[name]["psnr_lost"] for name in table if name not in ("plain", "mean")]
    assert len(lost) == 5
    torch.testing.assert_close(table["mean"]["psnr_lost"], torch.stack(lost).mean(0))


def _lab(L):
    """The nets' L (B, 1, H, W) -> gray L*a*b* (B, H, W, 3)."""
    lightness = 50 * L[:, 0, :, :, None].double().numpy() + 50
    return np.concatenate([lightness, np.zeros_like(lightness), np.zeros_like(lightness)], -1)


def test_renderings_depend_on_the_photo_and_not_on_its_batch(batch):
    L = rgb_to_net(batch.truth)[0]
    whole = renderings(batch.truth, L, batch.positions)
    alone = renderings(batch.truth[3:4], L[3:4], batch.positions[3:4])
    assert len(whole) == 5
    for name, aged in whole.items():
        torch.testing.assert_close(aged[3:4], alone[name])
        assert aged.min() >= -1 and aged.max() <= 1
        assert not torch.allclose(aged, L, atol=0.02)


def test_renderings_are_as_strong_as_documented():
    black, middle, white = (torch.full((1, 3, 48, 48), level) for level in (0.0, 0.5, 1.0))
    red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1).expand(1, 3, 48, 48)
    rgb = torch.cat([black, middle, middle, white, red])
    L = rgb_to_net(rgb)[0]
    aged = renderings(rgb, L, np.arange(5))
    for i, level in ((0, 0.075), (3, 0.075 + 0.725)):
        assert aged["faded"][i].mean().item() == pytest.approx(2 * level - 1, abs=1e-3)
    assert (aged["grainy"] - L)[1:3].std().item() == pytest.approx(0.06, rel=0.03)
    for name in ("grainy", "scratched"):  # each photo has its own
        assert not torch.equal(aged[name][1], aged[name][2])
    assert aged["blue-only"][4].max() < -0.99 < aged["orthochromatic"][4].min()  # blind to red
    assert all(one.abs().max() <= 1 for one in aged.values())


def test_the_lightness_of_the_models_own_result_does_not_count(photos):
    class Dim(Constant):
        def rgb(self, rgb):
            lab = rgb2lab(rgb)
            lab[..., 0] = 0.7 * lab[..., 0] + 15
            lab[..., 1:] = self.ab
            return (lab2rgb(lab) * 255).round().astype(np.uint8)

    (batch,) = read_crops(photos, 64, [], batch=8)
    model = Dim((-2.4, 11.0))
    table = FilmCurve(model).measure(batch, colored(model, batch))
    assert table["mean"]["psnr_lost"].abs().max() < 0.2


# ---- sizes


def test_a_model_that_knows_the_answer_hardly_minds_the_size(batch):
    model = Paint(0.6)
    table = SizeCurve(model).measure(batch, colored(model, batch))
    assert list(table) == ["0.5", "0.71", "1", "1.41", "2"]
    assert table["1"]["delta_e2000"].max() == 0
    assert table["2"]["delta_e2000"].max() < table["0.5"]["delta_e2000"].mean()


def test_sizes_tell_colors_that_change_with_the_size(batch):
    class BySide(Constant):
        def rgb(self, rgb):
            self.ab = (0.0, 2.0 if len(rgb) <= 64 else 8.0)
            return super().rgb(rgb)

    model = BySide()
    table = SizeCurve(model).measure(batch, colored(model, batch))
    assert {photo.shape[0] for photo in model.seen} == {32, 45, 64, 90, 128}
    scaled = Image.fromarray(batch.rgb8[0]).resize((32, 32), Image.Resampling.LANCZOS)
    smallest = next(photo for photo in model.seen if len(photo) == 32)
    np.testing.assert_array_equal(smallest, np.asarray(scaled))
    assert table["0.71"]["delta_e2000"].mean() < 1
    labs = [rgb2lab(photo) for photo in batch.rgb8]
    expected = []
    for lab in labs:
        pair = [
            np.dstack([lab[..., :1], np.zeros_like(lab[..., :1]), 0 * lab[..., :1] + b])
            for b in (2, 8)
        ]
        pair = [rgb2lab(lab2rgb(one).clip(0, 1)) for one in pair]
        expected.append(deltaE_ciede2000(*pair).mean())
    got = table["2"]["delta_e2000"].mean().item()
    assert got == pytest.approx(np.mean(expected), rel=0.05)
    assert table["2"]["colorfulness"].mean() > 2 * table["1"]["colorfulness"].mean()


# ---- hints


def test_points_are_the_first_of_more_and_carry_the_true_color(batch):
    photo = batch.rgb8[0].repeat(4, 0).repeat(4, 1)  # 256x256
    few, many = true_hints(photo, 3, seed=7), true_hints(photo, 30, seed=7)
    assert many[:3] == few
    for (x, y, color), (v, u) in zip(many, uniform_points(30, 7), strict=True):
        assert (x, y) == (int(u * 256), int(v * 256))
        patch = photo[max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4].reshape(-1, 3)
        np.testing.assert_allclose(color, patch.mean(0), atol=0.51)


def test_patches_are_in_proportion_to_the_photo(batch):
    photo = batch.rgb8[0]
    for scale, reach in ((1, 1), (8, 7)):  # 64 and 512 pixels a side
        large = photo.repeat(scale, 0).repeat(scale, 1)
        for x, y, color in true_hints(large, 5, seed=7):
            patch = large[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
            np.testing.assert_allclose(color, patch.reshape(-1, 3).mean(0), atol=0.51)


def test_every_photo_has_points_of_its_own(batch):
    class Spy(Paint):
        def rgb(self, rgb, hints=()):
            told.append([(x, y) for x, y, _ in hints])
            return rgb

    told = []
    HintCurve(Spy(1), [3]).measure(batch, batch.truth)
    for i, points in enumerate(told):  # seeded by the photo's place in the folder
        assert points == [(x, y) for x, y, _ in true_hints(batch.rgb8[i], 3, i)]
    assert len({tuple(points) for points in told}) == len(batch.rgb8)


def test_a_hint_that_is_obeyed_is_missed_by_nothing_and_lightness_does_not_count(batch):
    photo = batch.rgb8[0]
    hints = [(10, 20, tuple(int(c) for c in photo[20, 10])), (40, 50, (200, 60, 60))]
    missed = missed_by(photo, hints)
    assert missed[0] < 1e-3
    lab = rgb2lab(photo)[50, 40]
    wanted = rgb2lab(np.array([[[200, 60, 60]]], np.uint8))[0, 0]
    wanted[0] = lab[0]
    assert missed[1].item() == pytest.approx(deltaE_ciede2000(lab, wanted), abs=1e-2)


def test_hint_curve_of_a_model_that_obeys_and_of_one_that_does_not(photos):
    class Deaf(Paint):
        def rgb(self, rgb, hints=()):
            return super().rgb(rgb)

    obeys, deaf = (
        evaluate(photos, model, size=64, curves=[HintCurve(model, (10, 1))])["hints"]
        for model in (Paint(0.0), Deaf(0.0))
    )
    assert list(obeys["rows"]) == ["1", "10"]
    assert obeys["rows"]["10"]["psnr_gain"] > obeys["rows"]["1"]["psnr_gain"] > 0
    low, high = obeys["intervals"]["10"]["psnr_gain"]
    assert 0 < low < obeys["rows"]["10"]["psnr_gain"] < high
    assert obeys["rows"]["10"]["delta_e2000_median"] < 1  # 8-bit rounding
    assert deaf["rows"]["10"]["psnr_gain"] == 0
    assert deaf["rows"]["10"]["delta_e2000_median"] > 5
    assert deaf["rows"]["10"]["delta_e2000_p95"] > deaf["rows"]["10"]["delta_e2000_median"]


def test_hints_of_a_model_that_takes_none_are_refused():
    with pytest.raises(BadHint, match="constant takes no hints"):
        HintCurve(Constant(), (1,))


def test_hint_metrics_of_all_hints_are_pooled():
    errors = torch.arange(20.0).view(4, 5)
    table = {"5": {"psnr_gain": torch.ones(4), "delta_e2000": errors}}
    row = HintCurve(Paint(1), [5]).summarize(table)["rows"]["5"]
    assert row["delta_e2000_median"] == 9.5
    assert row["delta_e2000_p95"] == pytest.approx(np.percentile(np.arange(20), 95))


# ---- variants


def variants(photos, model):
    return evaluate(photos, model, size=64, curves=[VariantCurve(model)])


class Turned:
    """The photo's own a*, b*, by seed turned by 60 degrees a seed, or with its chroma halved."""

    name = "turned"

    def __init__(self, chroma=False):
        self.chroma = chroma

    def rgb(self, rgb, seed=0):
        lab = np.full((*rgb.shape[:2], 3), 60.0)
        angle = 0 if self.chroma else np.pi / 3 * seed
        length = 20 / 2**seed if self.chroma else 20
        lab[..., 1:] = length * np.cos(angle), length * np.sin(angle)
        return (lab2rgb(lab) * 255).round().astype(np.uint8)


def test_variants_that_turn_the_hue_and_variants_that_pale(photos):
    turned = variants(photos, Turned())["takes"]
    rows = turned["rows"]
    assert list(rows) == ["1", "2", "3", "together"]
    assert rows["together"]["hue_share"] > 0.99
    labs = [(60, 20 * np.cos(np.pi / 3 * s), 20 * np.sin(np.pi / 3 * s)) for s in (1, 2, 3)]
    between = [deltaE_ciede2000(labs[i], labs[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert rows["together"]["delta_e2000"] == pytest.approx(np.mean(between), rel=0.02)
    paled = variants(photos, Turned(chroma=True))["takes"]["rows"]
    assert paled["together"]["hue_share"] < 0.05
    assert paled["together"]["delta_e2000"] < rows["together"]["delta_e2000"]


def test_what_a_variant_costs_is_counted_photo_by_photo(photos):
    class Worse(Paint):
        def rgb(self, rgb, seed=None):
            truth = super().rgb(rgb)
            if seed == 3:  # a little worse
                truth[::8] = truth[::8] // 4 * 4
            return truth if seed != 2 else np.full_like(rgb, 128)

    result = variants(photos, Worse(0.5))
    rows, plain = result["takes"]["rows"], result["rows"]["model"]["psnr"]
    assert rows["1"]["psnr_lost"] == rows["1"]["over_1_db"] == rows["3"]["over_1_db"] == 0
    assert 0 < rows["3"]["psnr_lost"] < 0.9
    assert rows["2"]["over_1_db"] == 1
    flat = np.mean([peak_signal_noise_ratio(p, np.full_like(p, 128)) for p in pixels(photos)])
    assert rows["2"]["psnr_lost"] == pytest.approx(plain - flat, abs=0.01)


def pixels(photos):
    (batch,) = read_crops(photos, 64, [], batch=8)
    return to_uint8(batch.truth)


# ---- saturations


class Faded(Paint):
    """The true colors at half their chroma, times the saturation."""

    def __init__(self):
        super().__init__(0.5)

    def rgb(self, rgb, saturation=1.0):
        lab = rgb2lab(rgb)
        lab[..., 1:] *= 0.5 * saturation
        return (lab2rgb(lab) * 255).round().astype(np.uint8)


def test_a_saturation_that_restores_the_truth_is_the_best(photos):
    curve = SaturationCurve(Faded(), (2, 0, 1, 0.5))
    result = evaluate(photos, Faded(), size=64, curves=[curve])
    rows, plain = result["saturations"]["rows"], result["rows"]
    assert list(rows) == ["0", "0.5", "1", "2"]
    psnr = [row["psnr"] for row in rows.values()]
    assert psnr == sorted(psnr) and psnr[-1] > 45
    assert rows["1"]["psnr"] == pytest.approx(plain["model"]["psnr"])
    assert rows["1"]["colorfulness_ratio"] == pytest.approx(plain["model"]["colorfulness_ratio"])
    assert rows["2"]["colorfulness_ratio"] == pytest.approx(1, abs=0.01)
    assert rows["0"]["colorfulness_ratio"] < 0.01
    assert abs(rows["0"]["over_gray"]) < 0.1
    gap = plain["model"]["psnr"] - plain["gray"]["psnr"]
    assert rows["1"]["over_gray"] == pytest.approx(gap)
    low, high = result["saturations"]["intervals"]["1"]["over_gray"]
    assert low < gap < high
