"""Lab against skimage, every 8-bit color there and back, the gamut rule, and numpy beside torch."""

import numpy as np
import pytest
import torch
from skimage.color import lab2rgb, rgb2lab

from pix2pix import color
from pix2pix.strips import parallel, strips


def channels_last(image: torch.Tensor) -> np.ndarray:
    return image.movedim(-3, -1).double().numpy()


def random_lab(seed: int = 0, side: int = 200) -> torch.Tensor:
    """Any L*, any hue, far more chroma than sRGB has: (3, side, side), four in five outside."""
    unit = torch.rand(3, side, side, generator=torch.Generator().manual_seed(seed))
    return torch.cat((unit[:1] * 100, (unit[1:] * 2 - 1) * 110))


def edge_colors() -> torch.Tensor:
    """Corners and edges of the RGB cube, and the knees of the curves: (3, N, 1)."""
    steps = [0, 1e-6, 1e-3, 0.0403, 0.04045, 0.0406, 0.0959, 0.2, 0.5, 0.999, 1]
    return torch.cartesian_prod(*[torch.tensor(steps)] * 3).T[..., None]


@pytest.mark.parametrize("rgb", [torch.rand(2, 3, 64, 65), edge_colors()], ids=["random", "edges"])
def test_rgb_to_lab_is_skimage(rgb):
    lab = color.rgb_to_lab(rgb)
    assert lab.dtype == torch.float32 and lab.shape == rgb.shape
    delta_e = np.linalg.norm(channels_last(lab) - rgb2lab(channels_last(rgb)), axis=-1)
    assert delta_e.max() < 1e-3


def test_lab_to_rgb_is_skimage_inside_the_gamut():
    lab = color.compress_chroma(random_lab())
    difference = channels_last(color.lab_to_rgb(lab)) - lab2rgb(channels_last(lab))
    assert np.abs(difference).max() < 1e-4


@pytest.mark.slow
def test_every_8_bit_color_is_the_same_in_numpy_and_torch_and_returns_exactly():
    number = np.arange(2**24, dtype=np.uint32).reshape(4096, 4096)
    rgb = number.view(np.uint8).reshape(4096, 4096, 4)[..., :3]
    backs = np.zeros_like(rgb), torch.zeros(rgb.shape, dtype=torch.uint8)
    furthest = []

    def there_and_back(strip):
        pixels = np.ascontiguousarray(rgb[strip])
        labs = []
        for source, back in zip((pixels, torch.from_numpy(pixels)), backs, strict=True):
            lab = color.rgb8_to_lab(source)
            assert color.compress_chroma(lab) is lab and type(lab) is type(source)
            back[strip] = color.lab_to_rgb8(lab)
            labs.append(np.asarray(lab))
        furthest.append(np.abs(labs[0] - labs[1]).max())

    parallel(there_and_back, strips(4096, 4096))
    assert np.array_equal(backs[0], rgb) and np.array_equal(backs[1], rgb)
    assert max(furthest) < 2e-4


def both_ways(function, *arguments):
    """The results of a function of tensors, as arrays: (by torch, by numpy)."""
    by_torch = function(*arguments)
    by_numpy = function(*(x.numpy() for x in arguments))
    if isinstance(by_torch, torch.Tensor):
        by_torch, by_numpy = (by_torch,), (by_numpy,)
    assert all(type(x) is torch.Tensor for x in by_torch)
    assert all(type(x) is np.ndarray for x in by_numpy)
    return [x.numpy() for x in by_torch], list(by_numpy)


@pytest.mark.parametrize("function", [color.rgb_to_lab, color.rgb_to_net])
@pytest.mark.parametrize(
    "rgb", [torch.rand(2, 3, 33, 35), edge_colors()[None].double()], ids=["random", "edges"]
)
def test_numpy_is_torch_from_rgb(function, rgb):
    for by_torch, by_numpy in zip(*both_ways(function, rgb), strict=True):
        assert by_torch.dtype == by_numpy.dtype == np.float32
        np.testing.assert_allclose(by_numpy, by_torch, rtol=0, atol=2e-4)


@pytest.mark.parametrize("name", ["lab_to_rgb", "compress_chroma", "lab_to_rgb8", "net_to_rgb"])
def test_numpy_is_torch_to_rgb(name):
    lab = random_lab(5, 100)  # four in five of them outside
    if name == "net_to_rgb":
        lab = torch.stack((lab, random_lab(6, 100)))
        arguments = [lab[:, :1] / 50 - 1, lab[:, 1:] / color.AB_SCALE]
    else:
        arguments = [lab if name == "lab_to_rgb8" else torch.stack((lab, random_lab(6, 100)))]
    before = [x.clone() for x in arguments]
    (by_torch,), (by_numpy,) = both_ways(getattr(color, name), *arguments)
    unit = {"lab_to_rgb8": 1, "compress_chroma": 1e-3}.get(name, 1e-5)
    difference = np.abs(by_torch.astype(float) - by_numpy) / unit
    assert by_torch.shape == by_numpy.shape and by_torch.dtype == by_numpy.dtype
    assert (difference > 1).mean() < 1e-3  # a bisection may end a step apart, by rounding
    assert np.abs(by_torch.astype(float) - by_numpy).max() <= {"lab_to_rgb8": 4}.get(name, 0.3)
    assert all(map(torch.equal, arguments, before))


def test_compression_keeps_lightness_and_hue():
    lab = random_lab()
    fitted = color.compress_chroma(lab)
    assert torch.equal(fitted[0], lab[0])
    cross = fitted[1] * lab[2] - fitted[2] * lab[1]
    assert (cross.abs() / lab[1:].norm(dim=0)).max() < 1e-4  # a*, b* off the ray of the same hue
    assert ((fitted[1:] * lab[1:]).sum(0) >= 0).all()  # and not on its far side
    raw = lab2rgb(channels_last(fitted))
    shown = color.rgb_to_lab(color.lab_to_rgb(lab))
    assert raw.min() >= 0 and raw.max() <= 1
    assert (shown - fitted).norm(dim=0).max() < 0.1  # what is shown is what was fitted


def test_compression_keeps_all_the_chroma_it_may():
    lab = random_lab(1)
    fitted = color.compress_chroma(lab)
    squeezed = (fitted != lab).any(0)
    more = torch.cat((fitted[:1], fitted[1:] + lab[1:] / 490))
    assert 0.7 < squeezed.float().mean() < 0.9
    assert (color.compress_chroma(more) != more).any(0)[squeezed].float().mean() > 0.98
    assert torch.equal(color.compress_chroma(fitted), fitted)


@pytest.mark.parametrize(("L", "level"), [(0.0, 0), (-5.0, 0), (100.0, 255), (105.0, 255)])
def test_black_and_white_have_no_color(L, level):
    lab = torch.cat((torch.full((1, 8, 8), L), torch.randn(2, 8, 8) * 40))
    assert (color.lab_to_rgb8(lab) == level).all()


def test_lightness_survives_8_bits():
    lab = random_lab(2)
    back = color.rgb8_to_lab(color.lab_to_rgb8(lab))
    assert (back[0] - lab[0]).abs().max() < 0.5


def test_net_scaling_and_back():
    rgb = torch.rand(2, 3, 16, 24)
    L, ab = color.rgb_to_net(rgb)
    lab = color.rgb_to_lab(rgb)
    assert L.shape == (2, 1, 16, 24) and ab.shape == (2, 2, 16, 24)
    torch.testing.assert_close(L, lab[:, :1] / 50 - 1)
    torch.testing.assert_close(ab * color.AB_SCALE, lab[:, 1:])
    torch.testing.assert_close(color.net_to_rgb(L, ab), rgb, atol=1e-4, rtol=0)


def test_nets_ranges_hold_at_the_corners():
    L, ab = color.rgb_to_net(edge_colors()[None])
    assert abs(L.min() + 1) < 1e-6 and abs(L.max() - 1) < 1e-6
    assert ab.abs().max() < 1


def test_autocast_changes_nothing():
    rgb = torch.rand(1, 3, 32, 32)
    L, ab = color.rgb_to_net(rgb)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(color.rgb_to_net(rgb)[1], ab)
        assert torch.equal(color.net_to_rgb(L, ab * 3), color.net_to_rgb(L, ab * 3))
        outside = color.net_to_rgb(L, ab * 3)
    assert torch.equal(outside, color.net_to_rgb(L, ab * 3))


def test_gradients_are_finite_at_the_corners_and_right_inside():
    corners = edge_colors().requires_grad_()
    color.rgb_to_lab(corners).sum().backward()
    wild = random_lab(3, 20).requires_grad_()
    color.lab_to_rgb(wild).sum().backward()
    assert corners.grad.isfinite().all() and wild.grad.isfinite().all()

    lab = torch.tensor([55.0, 12.0, -9.0]).view(3, 1, 1).requires_grad_()
    color.lab_to_rgb(lab)[0].sum().backward()
    step = np.zeros(3)
    for i in range(3):
        high, low = lab.detach().double().flatten().numpy(), lab.detach().double().flatten().numpy()
        high[i], low[i] = high[i] + 1e-3, low[i] - 1e-3
        step[i] = (lab2rgb(high)[0] - lab2rgb(low)[0]) / 2e-3
    np.testing.assert_allclose(lab.grad.flatten(), step, rtol=1e-3)


@pytest.mark.parametrize("function", [color.rgb_to_lab, color.lab_to_rgb, color.compress_chroma])
def test_wrong_input_is_named(function):
    with pytest.raises(TypeError, match="uint8"):
        function(torch.zeros(3, 4, 4, dtype=torch.uint8))
    with pytest.raises(TypeError, match="int16"):
        function(np.zeros((3, 4, 4), np.int16))
    for zeros in (torch.zeros, np.zeros):
        with pytest.raises(ValueError, match=r"\(4, 4, 3\)"):
            function(zeros((4, 4, 3)))


def test_8_bit_strips_are_the_float_functions():
    rgb = torch.randint(0, 256, (31, 47, 3), dtype=torch.uint8)
    lab = color.rgb8_to_lab(rgb)
    torch.testing.assert_close(lab, color.rgb_to_lab(rgb.movedim(-1, 0) / 255))
    wild = random_lab(4, 31)
    expected = (color.lab_to_rgb(wild) * 255).round().to(torch.uint8).movedim(0, -1)
    assert torch.equal(color.lab_to_rgb8(wild), expected)
