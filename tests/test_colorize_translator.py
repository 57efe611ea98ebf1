"""The Translator on every size and kind of picture, with small nets of known answers."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from skimage import data
from torch import nn

from pix2pix import Colorizer, Translator
from pix2pix.errors import PhotoError, WeightsError
from pix2pix.nets import build_generator
from pix2pix.weights import Header, save


class Negative(nn.Module):
    """RGB (1, 3, h, w) -> its negative; remembers what it was shown."""

    def __init__(self, multiple: int = 16):
        super().__init__()
        self.multiple = multiple

    def forward(self, source):
        self.source = source
        return -source


def header(net: dict | None = None, **said) -> Header:
    shape = {"in_channels": 3, "out_channels": 3}
    return Header(net or shape, name="tiny", **{"head": "rgb", "task": "translate", **said})


@pytest.fixture
def negative() -> Translator:
    return Translator(Negative(), header(area=64 * 64))


def make_weights(path, **settings) -> str:
    torch.manual_seed(0)
    net = {"net": "UNet", "width": 8, "depth": 4, "in_channels": 3, "out_channels": 3, **settings}
    built = build_generator(net)
    for parameter in built.parameters():
        parameter.data.mul_(3)  # a fresh net gives next to nothing
    save(path, built, header(built.config, area=64 * 64))
    return str(path)


@pytest.fixture(scope="module")
def unet(tmp_path_factory) -> Translator:
    path = make_weights(tmp_path_factory.mktemp("weights") / "tiny.safetensors")
    return Translator.from_pretrained(path, device="cpu")


def picture(height: int, width: int) -> np.ndarray:
    """A color photograph (H, W, 3) uint8 of any size."""
    return np.asarray(Image.fromarray(data.astronaut()).resize((width, height)))


def test_at_the_net_s_own_size_every_level_is_the_net_s(negative):
    levels = np.arange(256, dtype=np.uint8).repeat(48).reshape(64, 64, 3)
    np.testing.assert_array_equal(negative(levels), 255 - levels)
    assert negative.generator.source.amin() == -1 and negative.generator.source.amax() == 1


def test_the_net_sees_red_green_and_blue(negative):
    negative(np.full((20, 30, 3), (255, 0, 51), np.uint8))
    seen = negative.generator.source
    assert seen.shape == (1, 3, 48, 80)
    torch.testing.assert_close(seen.mean((0, 2, 3)), torch.tensor([1.0, -1.0, -0.6]))


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 2), (3, 7), (1, 500), (1, 65500), (4000, 1), (63, 65), (300, 200)]
)
def test_any_size(unet, size):
    result = unet(np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8))
    assert result.shape == (*size, 3) and result.dtype == np.uint8


def test_a_large_picture_is_the_net_s_answer_to_a_small_one_enlarged(unet):
    rgb = picture(256, 256)
    small = F.interpolate(
        torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None],
        (64, 64),
        mode="bilinear",
        antialias=True,
    )
    with torch.no_grad():
        answer = unet.generator(small / 127.5 - 1)
    expected = F.interpolate((answer + 1) * 127.5, (256, 256), mode="bicubic").clamp(0, 255)
    made = torch.from_numpy(unet(rgb)).permute(2, 0, 1)[None]
    assert made.float().std() > 5  # it did something
    assert (made - expected).abs().max() < 0.51


def test_a_flat_picture_stays_flat_at_any_size(negative):
    for size in ((20, 20), (64, 64), (500, 333)):
        made = negative(np.full((*size, 3), (10, 200, 90), np.uint8))
        assert (made == (245, 55, 165)).all()


def test_deterministic_and_in_threads(unet):
    rgb = picture(90, 120)
    once = unet(rgb)
    seeds = [None, 1, None, 2, None]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda seed: unet(rgb, seed=seed), seeds))
    for seed, result in zip(seeds, results, strict=True):
        assert np.array_equal(result, once) == (seed is None)


def test_seed_draws_variants_and_leaves_the_global_state(unet):
    rgb = picture(64, 64)
    before = torch.get_rng_state()
    first, second, again = (unet(rgb, seed=seed) for seed in (1, 2, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(first, again) and not np.array_equal(first, second)
    assert unet.has_variants
    assert not any(module.training for module in unet.generator.modules())


def test_a_seed_draws_the_noise_of_a_net_that_has_some(tmp_path):
    path = make_weights(tmp_path / "a.safetensors", dropout=0.0, noise=1)
    model, rgb = Translator.from_pretrained(path, device="cpu"), picture(64, 64)
    assert model.has_variants
    none, again, first, second = (model(rgb, seed=seed) for seed in (None, None, 1, 2))
    assert np.array_equal(none, again)
    assert len({made.tobytes() for made in (none, first, second)}) == 3


def test_a_net_without_dropout_has_one_answer(tmp_path):
    model = Translator.from_pretrained(make_weights(tmp_path / "a.safetensors", dropout=0.0))
    rgb = picture(64, 64)
    assert not model.has_variants
    assert np.array_equal(model(rgb, seed=1), model(rgb))


def test_kinds_of_pictures_come_back_as_they_came(negative, tmp_path):
    rgb = picture(64, 64)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    for given in (tmp_path / "a.png", str(tmp_path / "a.png"), content, io.BytesIO(content)):
        made = negative(given)
        assert isinstance(made, Image.Image) and made.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(made), 255 - rgb)
    alpha = np.arange(64 * 64).astype(np.uint8).reshape(64, 64)
    image = Image.fromarray(rgb)
    image.putalpha(Image.fromarray(alpha))
    made = np.asarray(negative(image))
    np.testing.assert_array_equal(made, np.dstack([255 - rgb, alpha]))
    made = negative(rgb / np.float32(255))
    assert made.dtype == np.float32 and np.abs(made - (1 - rgb / 255)).max() < 0.003
    gray = negative(rgb[..., 0])
    np.testing.assert_array_equal(gray, 255 - rgb[..., :1].repeat(3, 2))


def test_what_is_no_picture(negative):
    with pytest.raises(TypeError, match="int is no picture"):
        negative(3)
    with pytest.raises(PhotoError):
        negative(b"no picture")
    with pytest.raises(TypeError, match="uint8"):
        negative.translate(np.zeros((4, 4, 3)))


@pytest.mark.filterwarnings("error")
def test_warnings_are_the_caller_s(negative):
    image = Image.fromarray(picture(64, 64)[..., 0].astype(np.uint16) * 257)
    with pytest.warns(UserWarning, match="16-bit") as seen:
        negative(image)
    assert {warning.filename for warning in seen} == {__file__}


def test_weights_of_the_other_task_are_refused_with_the_command_that_takes_them(tmp_path):
    path = make_weights(tmp_path / "tiny.safetensors")
    with pytest.raises(WeightsError, match="pix2pix translate"):
        Colorizer.from_pretrained(path)
    with pytest.raises(WeightsError, match="pix2pix colorize"):
        Translator.from_pretrained("default")
    with pytest.raises(WeightsError, match="pix2pix colorize"):
        Translator(Negative(), header(task="color"))


def test_a_net_that_is_not_from_rgb_to_rgb_is_refused(tmp_path):
    with pytest.raises(ValueError, match="^tiny predicts 'ab'; a translator needs 'rgb'"):
        Translator(Negative(), header(head="ab"))
    with pytest.raises(WeightsError, match="not for RGB -> RGB"):
        Translator.from_pretrained(make_weights(tmp_path / "a.safetensors", in_channels=1))
