"""Metrics against skimage, scipy and published values."""

import numpy as np
import pytest
import scipy.linalg
import skimage.data
import torch
from skimage import color as skcolor
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from pix2pix import metrics

# Sharma, Wu, Dalal 2005, table 1: L, a, b of two colors and their CIEDE2000 difference.
SHARMA = """
50 2.6772 -79.7751 50 0 -82.7485 2.0425
50 3.1571 -77.2803 50 0 -82.7485 2.8615
50 2.8361 -74.0200 50 0 -82.7485 3.4412
50 -1.3802 -84.2814 50 0 -82.7485 1.0000
50 -1.1848 -84.8006 50 0 -82.7485 1.0000
50 -0.9009 -85.5211 50 0 -82.7485 1.0000
50 0 0 50 -1 2 2.3669
50 -1 2 50 0 0 2.3669
50 2.4900 -0.0010 50 -2.4900 0.0009 7.1792
50 2.4900 -0.0010 50 -2.4900 0.0010 7.1792
50 2.4900 -0.0010 50 -2.4900 0.0011 7.2195
50 2.4900 -0.0010 50 -2.4900 0.0012 7.2195
50 -0.0010 2.4900 50 0.0009 -2.4900 4.8045
50 -0.0010 2.4900 50 0.0010 -2.4900 4.8045
50 -0.0010 2.4900 50 0.0011 -2.4900 4.7461
50 2.5 0 50 0 -2.5 4.3065
50 2.5 0 73 25 -18 27.1492
50 2.5 0 61 -5 29 22.8977
50 2.5 0 56 -27 -3 31.9030
50 2.5 0 58 24 15 19.4535
50 2.5 0 50 3.1736 0.5854 1.0000
50 2.5 0 50 3.2972 0 1.0000
50 2.5 0 50 1.8634 0.5757 1.0000
50 2.5 0 50 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""


@pytest.fixture(scope="module")
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """Photos and disturbed copies, (3, 3, 120, 97) in [0, 1]: noise, gray, one as it is."""
    astronaut, coffee = skimage.data.astronaut(), skimage.data.coffee()
    crops = [astronaut[:120, 200:297], coffee[100:220, 150:247], astronaut[300:420, 100:197]]
    real = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2) / 255
    fake = real.clone()
    noise = torch.randn(real[0].shape, generator=torch.Generator().manual_seed(0))
    fake[0] = (fake[0] + 0.05 * noise).clamp(0, 1)
    fake[1] = fake[1].mean(0, keepdim=True)
    return fake, real


def arrays(pair: tuple[torch.Tensor, torch.Tensor]) -> list[tuple[np.ndarray, np.ndarray]]:
    return [
        (f.permute(1, 2, 0).double().numpy(), r.permute(1, 2, 0).double().numpy())
        for f, r in zip(*pair, strict=True)
    ]


def test_psnr_is_that_of_skimage(pair):
    expected = [peak_signal_noise_ratio(r, f, data_range=1) for f, r in arrays(pair)[:2]]
    got = metrics.psnr(*pair)
    assert got[:2].tolist() == pytest.approx(expected, abs=1e-4)
    assert got[2] == 100


def test_ssim_is_that_of_skimage(pair):
    expected = [
        structural_similarity(
            f,
            r,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
            channel_axis=2,
        )
        for f, r in arrays(pair)
    ]
    assert metrics.ssim(*pair).tolist() == pytest.approx(expected, abs=1e-4)


def test_ssim_refuses_pictures_smaller_than_its_window():
    with pytest.raises(ValueError, match="11x11"):
        metrics.ssim(torch.zeros(1, 3, 10, 64), torch.zeros(1, 3, 10, 64))


def test_delta_e2000_is_that_of_skimage(pair):
    expected = [
        skcolor.deltaE_ciede2000(skcolor.rgb2lab(f), skcolor.rgb2lab(r)).mean()
        for f, r in arrays(pair)
    ]
    assert metrics.delta_e2000(*pair).tolist() == pytest.approx(expected, abs=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("line", SHARMA.strip().splitlines())
def test_ciede2000_of_the_published_pairs(line):
    *colors, expected = map(float, line.split())
    first, second = torch.tensor(colors, dtype=torch.float64).view(2, 3, 1, 1)
    assert metrics.ciede2000(first, second).item() == pytest.approx(expected, abs=5e-5)
    assert metrics.ciede2000(second, first).item() == pytest.approx(expected, abs=5e-5)


def test_ciede2000_of_random_colors_is_that_of_skimage():
    generator = torch.Generator().manual_seed(1)
    low, span = torch.tensor([0.0, -110, -110]), torch.tensor([100.0, 220, 220])
    lab = torch.rand(2, 200, 200, 3, generator=generator, dtype=torch.float64) * span + low
    lab[0, :, :20, 1:] = 0  # achromatic: no hue
    expected = skcolor.deltaE_ciede2000(lab[0].numpy(), lab[1].numpy())
    got = metrics.ciede2000(lab[0].permute(2, 0, 1), lab[1].permute(2, 0, 1))
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-6)


def test_colorfulness_is_the_formula_written_by_hand(pair):
    def by_hand(rgb: np.ndarray) -> float:
        red, green, blue = np.moveaxis(rgb * 255, 2, 0)
        rg, yb = red - green, 0.5 * (red + green) - blue
        return np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())

    fake, _ = pair
    got = metrics.colorfulness(fake)
    assert got.tolist() == pytest.approx([by_hand(f) for f, _ in arrays(pair)], abs=1e-3)
    assert got[1] == pytest.approx(0, abs=1e-3)


def test_frechet_distance_is_that_of_scipy():
    generator = torch.Generator().manual_seed(2)
    a = torch.randn(400, 6, generator=generator, dtype=torch.float64)
    b = a @ torch.randn(6, 6, generator=generator, dtype=torch.float64) + 0.7
    cov_a, cov_b = np.cov(a.numpy().T), np.cov(b.numpy().T)
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    offset = (a.mean(0) - b.mean(0)).square().sum().item()
    expected = offset + np.trace(cov_a + cov_b - 2 * root)
    assert metrics.frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)


def test_frechet_distance_with_fewer_rows_than_columns():
    """Padding with zero columns changes nothing; a plain matrix square root gives complex noise."""
    generator = torch.Generator().manual_seed(3)
    a, b = torch.randn(2, 40, 8, generator=generator)
    wide_a, wide_b = (torch.nn.functional.pad(x, (0, 500)) for x in (a, b))
    assert metrics.frechet_distance(wide_a, wide_b) == pytest.approx(
        metrics.frechet_distance(a, b), rel=1e-6
    )
    assert metrics.frechet_distance(wide_a, wide_a) == pytest.approx(0, abs=1e-9)
    assert metrics.frechet_distance(wide_a, wide_a + 2) == pytest.approx(4 * 508, rel=1e-5)


def test_share_closed_is_1_for_the_truth_and_0_for_gray():
    truth = torch.randn(50, 16, generator=torch.Generator().manual_seed(4))
    gray = 0.2 * truth
    assert metrics.share_closed(truth, truth, gray) == pytest.approx(1)
    assert metrics.share_closed(gray, truth, gray) == pytest.approx(0)
    assert 0.7 < metrics.share_closed(0.6 * truth, truth, gray) < 0.8  # 1 - (0.4 / 0.8)^2


@pytest.mark.parametrize("metric", [metrics.psnr, metrics.ssim, metrics.delta_e2000])
def test_wrong_shapes_and_types_are_refused(metric):
    good = torch.rand(2, 3, 16, 16)
    with pytest.raises(ValueError, match="B, 3, H, W"):
        metric(good, good[:1])
    with pytest.raises(ValueError, match="B, 3, H, W"):
        metric(good[0], good[0])
    with pytest.raises(TypeError, match="float"):
        metric((good * 255).byte(), (good * 255).byte())


def test_kernel_distance_is_the_double_sum_and_that_of_torchmetrics():
    from torchmetrics.image.kid import poly_mmd

    generator = torch.Generator().manual_seed(6)
    a = torch.randn(9, 5, generator=generator, dtype=torch.float64)
    b = torch.randn(9, 5, generator=generator, dtype=torch.float64) + 0.5

    def mean(x, y, skip_same):
        pairs = [(i, j) for i in range(9) for j in range(9) if not (skip_same and i == j)]
        return np.mean([(float(x[i] @ y[j]) / 5 + 1) ** 3 for i, j in pairs])

    within = mean(a, a, True) + mean(b, b, True)
    got = metrics.kernel_distance(a, b)
    assert got == pytest.approx(within - 2 * mean(a, b, False), rel=1e-9)
    assert got == pytest.approx(poly_mmd(a, b).item(), rel=1e-9)
    paired = metrics.kernel_distance(a, b, paired=True)
    assert paired == pytest.approx(within - 2 * mean(a, b, True), rel=1e-9)


def test_kernel_distance_is_unbiased_for_pairs_too():
    generator = torch.Generator().manual_seed(7)
    photos = torch.randn(60, 8, generator=generator)
    assert metrics.kernel_distance(photos, photos, paired=True) == pytest.approx(0, abs=1e-9)
    assert metrics.kernel_distance(photos, photos) < -0.01  # the pairs are no independent draws
    means = []
    for _ in range(200):  # y is x of another set, plus noise that both share: the same distribution
        x = torch.randn(20, 4, generator=generator)
        y = 0.6 * x + 0.8 * torch.randn(20, 4, generator=generator)
        means.append(metrics.kernel_distance(x, y, paired=True))
    assert abs(np.mean(means)) < 3 * np.std(means) / 200**0.5


def test_kernel_distance_refuses_sets_that_do_not_fit():
    a = torch.zeros(4, 3)
    for b, paired in ((torch.zeros(4, 2), False), (torch.zeros(1, 3), False), (a[:3], True)):
        with pytest.raises(ValueError, match="eatures"):
            metrics.kernel_distance(a, b, paired=paired)
        with pytest.raises(ValueError, match="eatures"):
            metrics.PairedKernelDistance(a, b)


@pytest.mark.parametrize("count", [6, 30])  # fewer photos than features, and more
def test_paired_kernel_distance_of_a_subset_is_that_of_its_rows(count):
    generator = torch.Generator().manual_seed(8)
    a, b = torch.randn(2, count, 10, generator=generator)
    distance = metrics.PairedKernelDistance(a, b)
    for places in (torch.arange(count), torch.tensor([5, 0, 3]), torch.tensor([1, 4])):
        expected = metrics.kernel_distance(a[places], b[places], paired=True)
        assert distance(places) == pytest.approx(expected, rel=1e-9)
    assert metrics.PairedKernelDistance(a, a)(torch.arange(count)) == pytest.approx(0, abs=1e-12)
