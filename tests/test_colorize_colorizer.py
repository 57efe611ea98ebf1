"""The Colorizer on every size and kind of picture, with small nets of known answers."""

import io
import math

import numpy as np
import pytest
import torch
from bad_inputs import profiles
from PIL import Image
from skimage import data
from skimage.color import rgb2lab
from torch import nn

from pix2pix import nets, strips, weights
from pix2pix.colorize import Colorizer, Wish
from pix2pix.colorize.model import net_size
from pix2pix.errors import BadHint, PhotoError
from pix2pix.nets.bins import AbBins
from pix2pix.nets.double_conv import DoubleConvUNet
from pix2pix.weights import Header


class Constant(nn.Module):
    """The same ab everywhere; remembers what it was shown."""

    def __init__(self, a: float = 0.0, b: float = 0.0, multiple: int = 32):
        super().__init__()
        self.ab, self.multiple = (a, b), multiple

    def forward(self, L):
        self.L = L
        return torch.tensor(self.ab).view(1, 2, 1, 1).expand(1, 2, *L.shape[2:])


def constant(a: float = 0.2, b: float = 0.1, generator: dict | None = None, **header) -> Colorizer:
    return Colorizer(Constant(a, b), Header(generator=generator or {}, name="constant", **header))


@pytest.fixture(scope="module")
def unet() -> Colorizer:
    torch.manual_seed(0)
    net = nets.UNet(width=8, depth=5)
    for parameter in net.parameters():
        parameter.data.mul_(3)  # a fresh net colors next to nothing
    return Colorizer(net, Header(generator={}, name="random", area=64 * 64))


def photo(height: int, width: int) -> np.ndarray:
    """A gray photograph (H, W, 3) uint8 of any size."""
    gray = Image.fromarray(data.camera()).resize((width, height))
    return np.asarray(gray.convert("RGB"))


def lightness(rgb: np.ndarray) -> np.ndarray:
    return rgb2lab(rgb)[..., 0]


@pytest.mark.parametrize("kind", ["gray", "color"])
def test_lightness_is_the_inputs(unet, kind):
    rgb = photo(200, 300) if kind == "gray" else data.chelsea()
    colored = unet.rgb(rgb, saturation=3)
    close = np.abs(lightness(colored) - lightness(rgb)) <= 1
    assert np.abs(rgb2lab(colored)[..., 1:]).mean() > 3  # it did color
    assert close.mean() >= 0.999


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 2), (2, 1), (3, 7), (1, 500), (1, 65500), (4000, 1), (31, 33), (255, 257)]
)
def test_any_size(unet, size):
    rgb = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    colored = unet.rgb(rgb)
    assert colored.shape == rgb.shape and colored.dtype == np.uint8
    assert np.abs(lightness(colored) - lightness(rgb)).max() <= 1


@pytest.mark.parametrize("level", [0, 255])
def test_black_and_white_stay(level):
    rgb = np.full((50, 60, 3), level, np.uint8)
    assert (constant(0.9, -0.9).rgb(rgb) == level).all()


def test_color_is_the_nets():
    rgb = np.full((40, 70, 3), 128, np.uint8)
    for scale, header, saturation in ((1, 1, 1), (0.5, 1, 0.5), (1.5, 0.75, 2), (0, 1, 0)):
        colored = constant(0.2, -0.1, saturation=header).rgb(rgb, saturation=saturation)
        np.testing.assert_allclose(rgb2lab(colored)[..., 1], 22 * scale, atol=0.5)
        np.testing.assert_allclose(rgb2lab(colored)[..., 2], -11 * scale, atol=0.5)


def test_deterministic_and_in_threads(unet):
    from concurrent.futures import ThreadPoolExecutor

    rgb = photo(90, 120)
    once = unet.rgb(rgb)
    with ThreadPoolExecutor(4) as pool:
        seeds = [None, 1, None, 2, None, None]
        results = list(pool.map(lambda seed: unet.rgb(rgb, seed=seed), seeds))
    for seed, result in zip(seeds, results, strict=True):
        assert np.array_equal(result, once) == (seed is None)


def test_seed_draws_variants_and_leaves_the_global_state(unet):
    rgb = photo(64, 64)
    before = torch.get_rng_state()
    variants = [unet.rgb(rgb, seed=seed) for seed in (1, 2, 1)]
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(variants[0], variants[2])
    assert not np.array_equal(variants[0], variants[1])
    assert not any(module.training for module in unet.generator.modules())


def test_seed_draws_noise():
    torch.manual_seed(0)
    net = nets.UNet(width=8, depth=5, dropout=0, noise=1)
    for parameter in net.parameters():
        parameter.data.mul_(3)
    colorizer = Colorizer(net, Header(generator={}, name="random", area=64 * 64))
    assert colorizer.has_variants
    rgb = photo(64, 64)
    one, other, again = (colorizer.rgb(rgb, seed=seed) for seed in (1, 2, 1))
    assert np.array_equal(one, again) and not np.array_equal(one, other)
    assert np.array_equal(colorizer.rgb(rgb), colorizer.rgb(rgb))
    assert not np.array_equal(colorizer.rgb(rgb), one) and not net.noise.training
    deaf = nets.UNet(width=8, depth=5, dropout=0)
    assert not Colorizer(deaf, Header(generator={})).has_variants


def test_seed_spares_the_norms():
    net = DoubleConvUNet(width=4, depth=2)
    colorizer = Colorizer(net, Header(generator={}, area=32 * 32))
    before = {k: v.clone() for k, v in net.state_dict().items()}
    rgb = photo(30, 30)
    assert np.array_equal(colorizer.rgb(rgb, seed=3), colorizer.rgb(rgb))  # it has no dropout
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


@pytest.mark.parametrize(
    ("size", "multiple", "expected"),
    [
        ((256, 256), 256, (256, 256)),
        ((3000, 4000), 256, (256, 256)),
        ((3000, 4000), 32, (224, 288)),
        ((4000, 3000), 32, (288, 224)),
        ((1080, 1920), 16, (192, 336)),
        ((1, 65500), 32, (32, 2048)),
        ((65500, 1), 16, (4096, 16)),
        ((1, 1), 128, (256, 256)),
    ],
)
def test_net_size(size, multiple, expected):
    assert net_size(*size, area=256 * 256, multiple=multiple) == expected


def test_net_size_keeps_area_and_aspect():
    for height, width in np.random.default_rng(0).integers(200, 800, (200, 2)):
        h, w = net_size(height, width, area=256 * 256, multiple=16)
        assert h % 16 == w % 16 == 0
        assert 0.9 < h * w / 256**2 < 1.1
        assert 0.9 < (h / w) / (height / width) < 1.1


def test_a_net_may_see_large_photos_at_another_area():
    header = Header(generator={}, area=64 * 64, large_area=96 * 96)
    sides = [header.area_for(side, side) ** 0.5 for side in (1, 64, 73, 80, 96, 110, 5000)]
    np.testing.assert_allclose(sides, [64, 64, 64, 70, 84, 96, 96], atol=0.3)
    assert header.area_for(55, 220) == header.area_for(110, 110)  # whatever its form
    for area in (None, 32 * 32):
        header.large_area = area
        assert {header.area_for(side, side) for side in (1, 64, 110, 5000)} == {64 * 64}
    colorizer = constant(area=64 * 64, large_area=96 * 96)
    for side, expected in ((70, 64), (256, 96)):
        colorizer.rgb(photo(side, side))
        assert colorizer.generator.L.shape[-2:] == (expected, expected)


def test_net_sees_the_photos_lightness():
    colorizer = constant()
    colorizer.rgb(data.chelsea())  # 300x451, color
    L = colorizer.generator.L[0, 0].numpy() * 50 + 50
    small = np.asarray(Image.fromarray(data.chelsea()).resize(L.shape[::-1], Image.BILINEAR))
    assert L.shape == (224, 320)
    assert np.abs(L - lightness(small)).max() < 1


def test_a_net_for_hints_sees_none():
    colorizer = constant(generator={"in_channels": 4})
    colorizer.rgb(photo(50, 50))
    assert colorizer.generator.L.shape[1] == 4
    assert colorizer.generator.L[:, 0].any() and not colorizer.generator.L[:, 1:].any()


class Listens(nn.Module):
    """A net that paints all in the mean of what it is told, and has two likely colors."""

    multiple = 32

    def __init__(self):
        super().__init__()
        self.bins = AbBins(1, step=10)

    def forward(self, x):
        count = x[:, 3:].sum((2, 3), keepdim=True).clamp(min=1)
        mean = (x[:, 1:3] * x[:, 3:]).sum((2, 3), keepdim=True) / count
        return mean.expand(len(x), 2, *x.shape[2:])

    def parts(self, x):
        logits = torch.full(
            (len(x), len(self.bins.colors), x.shape[2] // 4, x.shape[3] // 4), -20.0
        )
        for a, b in ((60, 40), (-40, 40)):
            aim = torch.tensor([a, b]) / 110
            logits[:, (self.bins.colors - aim).norm(dim=1).argmin()] = 5.0
        ab = self(x)
        return ab, ab, logits


@pytest.fixture
def listens() -> Colorizer:
    generator = {"in_channels": 4, "bins": 10}
    return Colorizer(Listens(), Header(generator=generator, name="listens", area=128 * 128))


def chroma_at(rgb: np.ndarray, x: int, y: int) -> np.ndarray:
    return rgb2lab(rgb[y - 1 : y + 2, x - 1 : x + 2])[..., 1:].mean((0, 1))


def test_what_belongs_to_a_hint_follows_and_the_hint_is_kept(listens):
    rgb = np.full((300, 400, 3), 110, np.uint8)
    assert listens.takes_hints and np.ptp(listens.rgb(rgb), axis=2).max() <= 1
    red, green = (150, 60, 60), (60, 120, 60)
    one = listens.rgb(rgb, hints=[(300, 200, red)])
    wanted = rgb2lab(np.array([[red, green]], np.uint8))[0, :, 1:]
    assert np.abs(chroma_at(one, 40, 270) - wanted[0]).max() < 4
    both = listens.rgb(rgb, hints=[(300, 200, red), (90, 80, green)])
    for (x, y), ab in zip([(300, 200), (90, 80)], wanted, strict=True):
        assert np.abs(chroma_at(both, x, y) - ab).max() < 5


def two_things() -> np.ndarray:
    rgb = np.full((300, 400, 3), 60, np.uint8)
    rgb[:, 200:] = 190
    return rgb


def test_a_hint_stays_on_its_thing_and_the_nets_answer_does_not(listens, monkeypatch):
    rgb, red = two_things(), (150, 60, 60)
    wish = Wish(hints=[(80, 200, red)])
    plain, hinted = listens.predict(rgb), listens.predict(rgb, wish)
    half = plain.shape[2] // 2
    assert np.abs(hinted - plain)[:, :, half + 3 :].max() * 110 < 2.4
    monkeypatch.setattr("pix2pix.colorize.predictor.localize", lambda ab, hinted, *_: hinted)
    everywhere = listens.predict(rgb, wish)
    assert np.hypot(*(everywhere - plain)).min() * 110 > 20
    np.testing.assert_allclose(hinted[:, :, : half - 8], everywhere[:, :, : half - 8], atol=0.03)


def test_a_take_keeps_its_draws_where_a_hint_does_not_reach(listens):
    rgb = two_things()
    take = listens.predict(rgb, Wish(seed=3))
    hinted = listens.predict(rgb, Wish(seed=3, hints=[(80, 200, (150, 60, 60))]))
    half = take.shape[2] // 2
    assert np.hypot(*take).min() * 110 > 5  # colors were drawn
    np.testing.assert_allclose(hinted[:, :, half + 3 :], take[:, :, half + 3 :], atol=0.02)


def test_a_net_without_bins_keeps_its_hints_local_too(listens):
    listens.header.generator = {"in_channels": 4}
    rgb = two_things()
    plain = listens.predict(rgb)
    hinted = listens.predict(rgb, Wish(hints=[(80, 200, (150, 60, 60))]))
    moved = np.hypot(*(hinted - plain)) * 110
    half = plain.shape[2] // 2
    assert moved[:, half + 3 :].max() < 2.4 and moved[:, : half - 8].min() > 20


def test_hints_are_exact_under_calibration(listens):
    listens.header.saturation = 0.5
    rgb = np.full((128, 128, 3), 110, np.uint8)
    colored = listens.rgb(rgb, hints=[(64, 64, (150, 90, 90))])
    wanted = rgb2lab(np.array([[(150, 90, 90)]], np.uint8))[0, 0, 1:]
    assert np.abs(chroma_at(colored, 64, 64) - wanted).max() < 2


def test_hints_and_takes_through_every_door(listens):
    rgb = photo(64, 96)
    hint = [(10.0, 20.0, (150, 60, 60))]
    expected = listens.rgb(rgb, hints=hint)
    assert (listens(rgb, hints=hint) == expected).all()
    assert (np.asarray(listens(Image.fromarray(rgb), hints=hint)) == expected).all()
    take = listens.rgb(rgb, seed=3)
    assert (take == listens.rgb(rgb, seed=3)).all() and (take != listens.rgb(rgb)).any()


def test_a_net_without_hints_says_so():
    with pytest.raises(BadHint, match="constant takes no hints"):
        constant().rgb(photo(8, 8), hints=[(1, 1, (9, 9, 9))])
    with pytest.raises(ValueError, match="one answer"):
        constant().unsure(photo(8, 8))
    with pytest.raises(ValueError, match="one answer"):
        constant().suggest(photo(8, 8), 1, 1)


def test_likely_colors_of_a_place(listens):
    found = listens.suggest(photo(100, 200), 150, 50)
    assert len(found) == 2 and abs(sum(share for _, share in found) - 1) < 0.05
    hues = sorted(chroma[0] for chroma in (rgb2lab([[c]])[0, 0, 1:] for c, _ in _as_floats(found)))
    assert hues[0] < -5 and hues[1] > 5
    with pytest.raises(BadHint, match="inside"):
        listens.suggest(photo(100, 200), 200, 50)


def _as_floats(found):
    return [(np.array(color) / 255, share) for color, share in found]


def test_how_unsure_is_a_small_map(listens):
    unsure = listens.unsure(photo(100, 200))
    assert unsure.dtype == np.float32 and unsure.shape == (24, 48)
    assert np.allclose(unsure, 50, atol=1)  # two colors, 100 apart


MODES = ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16", "YCbCr"]


def in_mode(mode: str) -> Image.Image:
    gray = Image.fromarray(data.camera()).resize((60, 40))
    if mode == "I;16":
        return Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    if mode in ("RGBA", "LA"):
        image = gray.convert(mode)
        image.putalpha(gray.rotate(180))
        return image
    if mode == "P":
        return gray.convert(mode)
    return gray.convert("RGB").convert(mode)


@pytest.mark.filterwarnings("ignore:16-bit")
@pytest.mark.parametrize("mode", MODES)
def test_pil_modes(mode):
    image = in_mode(mode)
    colored = constant()(image)
    assert colored.size == image.size
    assert colored.mode == ("RGBA" if mode in ("RGBA", "LA") else "RGB")
    if colored.mode == "RGBA":
        assert colored.getchannel("A").tobytes() == image.getchannel("A").tobytes()
    gray = in_mode("1" if mode == "1" else "L")
    distance = np.abs(lightness(np.asarray(colored.convert("RGB"))) - lightness_of_gray(gray))
    assert distance.mean() < 1.5
    if mode != "1":  # black and white have no room for color
        assert rgb2lab(np.asarray(colored.convert("RGB")))[..., 1].mean() > 10


def lightness_of_gray(gray: Image.Image) -> np.ndarray:
    return lightness(np.asarray(gray.convert("RGB")))


def test_16_bits_warn_and_are_not_white():
    with pytest.warns(UserWarning, match="16-bit"):
        colored = constant()(in_mode("I;16"))
    assert 60 < np.asarray(colored).mean() < 200


def test_pil_profile_is_applied_and_not_passed_on():
    image = Image.new("L", (20, 20), 128)
    image.info["icc_profile"] = profiles.gray_profile(1.0)  # half the light: L* 76, not 54
    colored = constant()(image)
    assert abs(lightness(np.asarray(colored)).mean() - 76) < 1
    assert "icc_profile" not in colored.info


@pytest.mark.parametrize("given", ["path", "str", "bytes", "stream"])
def test_files(given, tmp_path):
    path = tmp_path / "photo.png"
    image = in_mode("RGBA")
    exif = Image.Exif()
    exif[274] = 6  # lies on its side
    image.save(path, exif=exif)
    content = path.read_bytes()
    source = {"path": path, "str": str(path), "bytes": content, "stream": io.BytesIO(content)}
    colored = constant()(source[given])
    assert colored.size == image.size[::-1] and colored.mode == "RGBA"
    upright = image.transpose(Image.Transpose.ROTATE_270)
    assert colored.getchannel("A").tobytes() == upright.getchannel("A").tobytes()


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_an_image_that_is_not_decoded_yet(mode, tmp_path):
    path = tmp_path / "photo.png"
    in_mode(mode).save(path)
    with Image.open(path) as lazy, Image.open(path) as loaded:
        loaded.load()
        assert np.array_equal(np.asarray(constant()(lazy)), np.asarray(constant()(loaded)))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("channels", [None, 1, 3, 4])
def test_arrays(dtype, channels):
    white = {"uint8": 255, "uint16": 65535}.get(dtype, 1)
    gray = np.asarray(in_mode("L"))
    shape = gray.shape if channels is None else (*gray.shape, channels)
    values = gray if channels is None else np.repeat(gray[..., None], channels, 2)
    image = (values * (white / 255)).astype(dtype)
    colored = constant()(image)
    assert colored.dtype == image.dtype
    assert colored.shape == (*shape[:2], 4 if channels == 4 else 3)
    if channels == 4:
        assert np.array_equal(colored[..., 3], image[..., 3])
    expected = constant().rgb(np.repeat(gray[..., None], 3, 2))
    np.testing.assert_allclose(colored[..., :3] * (255 / white), expected, atol=0.51)
    assert 0 <= colored.min() and colored.max() <= white


def test_array_views_and_read_only_arrays():
    rgb = photo(40, 60)
    assert not rgb.flags.writeable
    expected = constant().rgb(rgb.copy())
    assert np.array_equal(constant()(rgb), expected)
    assert np.array_equal(constant()(rgb[::-1])[::-1], expected)
    assert np.array_equal(constant()(np.asfortranarray(rgb)), expected)


@pytest.mark.slow
def test_a_large_picture_is_the_same_on_one_thread_and_on_more(monkeypatch):
    rgb = np.asarray(Image.fromarray(data.astronaut()).resize((1700, 1300)))
    monkeypatch.setattr(strips, "cores", lambda: 1)
    alone = constant(a=0.3, b=-0.1).rgb(rgb)
    monkeypatch.setattr(strips, "cores", lambda: 3)
    assert np.array_equal(constant(a=0.3, b=-0.1).rgb(rgb), alone)


@pytest.mark.parametrize(
    ("image", "error", "words"),
    [
        (None, TypeError, "NoneType"),
        (torch.zeros(3, 8, 8), TypeError, "Tensor"),
        (np.zeros((8, 8), bool), TypeError, "bool"),
        (np.zeros((8, 8), np.int64), TypeError, "int64"),
        (np.zeros((3, 8, 8), np.uint8), ValueError, r"\(3, 8, 8\)"),
        (np.zeros((8, 8, 2), np.uint8), ValueError, r"\(8, 8, 2\)"),
        (np.zeros((0, 8, 3), np.uint8), ValueError, r"\(0, 8, 3\)"),
        (np.full((8, 8), 37.0), ValueError, "37"),
        (np.full((8, 8), np.nan), ValueError, "nan"),
        (b"no picture", PhotoError, "unsupported_format"),
        ("missing.jpg", PhotoError, "missing.jpg"),
    ],
)
def test_no_picture_is_named(image, error, words):
    with pytest.raises(error, match=words):
        constant()(image)


def test_wrong_arguments_are_named():
    rgb = photo(8, 8)
    for saturation in (-1, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"saturation is {saturation}"):
            constant()(rgb, saturation=saturation)
    with pytest.raises(TypeError, match="float64"):
        constant().rgb(rgb / 255)
    with pytest.raises(ValueError, match=r"\(8, 8\)"):
        constant().rgb(rgb[..., 0])
    with pytest.raises(ValueError, match="brightness"):
        constant(head="brightness")


def test_saved_weights_color_alike(tmp_path):
    torch.manual_seed(1)
    net = nets.build_generator({"net": "UNet", "width": 4, "depth": 3})
    header = Header(generator=nets.config_of(net), name="tiny", area=32 * 32)
    path = tmp_path / "tiny.safetensors"
    weights.save(path, net, header, dtype=torch.float32)
    colorizer = Colorizer.from_pretrained(path, device="cpu")
    rgb = photo(40, 50)
    assert colorizer.name == "tiny" and colorizer.header.area == 32 * 32
    assert np.array_equal(colorizer.rgb(rgb), Colorizer(net, header).rgb(rgb))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_colors_as_the_cpu(unet):
    net = nets.UNet(width=8, depth=5)
    net.load_state_dict(unet.generator.state_dict())
    on_gpu = Colorizer(net, unet.header, "auto")
    rgb = data.chelsea()
    assert on_gpu.device == "cuda"
    assert np.abs(on_gpu.rgb(rgb).astype(int) - unet.rgb(rgb)).max() <= 3
    assert np.array_equal(on_gpu.rgb(rgb, seed=1), on_gpu.rgb(rgb, seed=1))
