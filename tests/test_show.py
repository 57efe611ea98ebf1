"""What notebooks show: pictures, source, shapes, live curves, sliders."""

import base64
import io
import json

import numpy as np
import pytest
import skimage.data
import torch
from IPython.core.formatters import DisplayFormatter
from PIL import Image, ImageSequence
from torch import nn

from pix2pix import nets, show
from pix2pix.color import lab_to_rgb, rgb_to_lab
from pix2pix.train.loggers import Loggers

RED, BLUE = np.zeros((20, 30, 3), np.uint8), np.zeros((20, 30, 3), np.uint8)
RED[..., 0], BLUE[..., 2] = 200, 200


@pytest.fixture
def shown(monkeypatch):
    """What is displayed: [(data, display_id given), ...]; updates count as displayed too."""
    found = []

    class Handle:
        def update(self, thing):
            found.append(thing)

    def display(thing, raw=False, display_id=None):
        found.append(thing)
        return Handle() if display_id else None

    monkeypatch.setattr("IPython.display.display", display)
    return found


# pictures ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        RED,
        RED / 255,
        torch.from_numpy(RED).permute(2, 0, 1),
        torch.from_numpy(RED).permute(2, 0, 1)[None] / 255,
        Image.fromarray(RED),
        show.Picture(Image.fromarray(RED)),
    ],
    ids=["uint8", "float", "tensor", "batch of one", "PIL", "Picture"],
)
def test_a_photo_in_any_form(form):
    picture = show.grid([form], side=20)
    assert (picture.rgb == RED).all()


@pytest.mark.parametrize("bad", [torch.zeros(2, 3, 4, 4), torch.zeros(4, 4), np.zeros((4, 4, 2))])
def test_other_shapes_are_refused(bad):
    with pytest.raises(ValueError, match="shape"):
        show.grid([bad])


def test_a_grid_holds_every_cell_at_its_place():
    sheet = show.grid([[RED, BLUE], [BLUE, RED]], side=20).rgb
    assert sheet.shape == (44, 64, 3)
    for y, x, cell in ((10, 10, RED), (10, 50, BLUE), (34, 10, BLUE), (34, 50, RED)):
        assert (sheet[y, x] == cell[0, 0]).all()
    assert (sheet[:, 31] == 255).all()  # paper between


def test_labels_are_written_beside_and_above():
    plain = show.grid([RED, BLUE], side=20).rgb
    labeled = show.grid([RED, BLUE], columns=["red", "blue"], labels=["row"], side=20).rgb
    assert labeled.shape[0] == plain.shape[0] + 20 and labeled.shape[1] > plain.shape[1]
    assert (labeled[:20] < 128).any() and (labeled[20:, :10] < 128).any()
    left = labeled.shape[1] - plain.shape[1]
    assert (labeled[20:, left:] == plain).all()


def test_a_long_title_is_cut_before_the_next_column():
    sheet = show.grid([RED, BLUE], columns=["a very long title indeed", ""], side=20).rgb
    assert (sheet[:20, 34:] == 255).all() and (sheet[:20, :30] < 128).any()


def test_channels_are_those_of_lab():
    photo = skimage.data.astronaut()[:200, 100:300]
    sheet = show.channels(photo, side=200).rgb[20:]
    lab = rgb_to_lab(torch.from_numpy(photo.copy()).permute(2, 0, 1) / 255)
    L = torch.stack((lab[0], *torch.zeros(2, 200, 200)))
    a = torch.stack((torch.full((200, 200), 60.0), lab[1], torch.zeros(200, 200)))
    for column, part in ((1, L), (2, a)):
        expected = (lab_to_rgb(part) * 255).round().permute(1, 2, 0).numpy()
        got = sheet[:, column * 204 : column * 204 + 200].astype(float)
        assert abs(got - expected).max() <= 1


def test_the_ab_plane_is_right_inside_and_blank_outside_the_gamut():
    plane = show.ab_plane(60, side=221).rgb  # one pixel a unit of a* and b*
    assert (plane[5, 5] == plane[5, 215]).all() and plane[5, 5].min() > 230  # (-105, 105) ...
    lab = torch.tensor([60.0, 30.0, 20.0]).view(3, 1, 1)
    expected = (lab_to_rgb(lab) * 255).round().flatten().numpy()
    assert abs(plane[110 - 20, 110 + 30].astype(int) - expected).max() <= 1
    marked = show.ab_plane(60, at=[(30, 20)], side=221).rgb
    changed = np.argwhere((marked != plane).any(2))
    assert abs(changed.mean(0) - [90, 140]).max() < 1


def test_patches_are_drawn_where_they_are():
    gray = np.full((100, 100, 3), 128, np.uint8)
    drawn = show.patches(gray, [(10, 20, 30)], side=200).rgb
    changed = np.argwhere((drawn != 128).any(2))
    assert changed.min(0).tolist() == [40, 20] and changed.max(0).tolist() == [99, 79]


def test_heat_is_bright_where_scores_are_high():
    gray = np.full((60, 60, 3), 128, np.uint8)
    scores = torch.tensor([[0.0, 1.0], [5.0, -5.0]]).view(1, 1, 2, 2)
    heat = show.heat(gray, scores).rgb.astype(int).sum(2)
    assert heat[10, 10] < heat[10, 50]
    assert heat[50, 10] == heat[10, 50] and heat[50, 50] == heat[10, 10]  # held to [low, high]
    dark = show.heat(np.zeros_like(gray), scores, mix=1.0).rgb
    assert (dark == show.heat(gray, scores, mix=1.0).rgb).all()  # the map alone


def test_figures_are_closed_and_small():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plot, axis = plt.subplots(figsize=(4, 2))
    axis.plot([1, 2, 3])
    picture = show.figure(plot)
    assert not plt.get_fignums()
    mime, data = picture.encoded()
    assert mime == "image/png" and len(data) < 20_000
    assert (picture.rgb[0, 0] == 255).all()  # readable on a dark page too


def test_notebooks_get_one_format():
    bundle, _ = DisplayFormatter().format(show.grid([RED]))
    assert set(bundle) == {"image/jpeg", "text/plain"}
    assert Image.open(io.BytesIO(bundle["image/jpeg"])).size == (240, 160)


# source and shapes ------------------------------------------------------------------------------


def test_source_is_the_real_one():
    shown = show.source(nets.PatchGAN.forward)
    assert "return self.layers(lab)" in repr(shown) and repr(shown).startswith("def forward")
    assert "background:" in shown._repr_html_() and "color:" in shown._repr_html_()
    short = repr(show.source(nets.PatchGAN.forward, docstring=False))
    assert '"""' not in short and short.count("\n") == 1
    with pytest.raises(TypeError):
        show.source(3)


def test_shapes_are_those_that_pass_by():
    net = nets.UNet(width=4, depth=3).train()
    text = repr(show.shapes(net, torch.zeros(1, 1, 16, 24)))
    rows = [line.split("  ") for line in text.splitlines()]
    assert "1 x 8 x 4 x 6" in next(line for line in text.splitlines() if "down.1" in line)
    assert rows[1][0].startswith("input") and "1 x 2 x 16 x 24" in text.splitlines()[-1]
    assert text.splitlines()[-1].endswith(f"{sum(p.numel() for p in net.parameters()):,}")
    assert net.training and not any(m._forward_hooks for m in net.modules())


def test_shapes_leave_no_hooks_behind_when_the_net_fails():
    net = nets.UNet(width=4, depth=3)
    with pytest.raises(ValueError, match="multiples"):
        show.shapes(net, torch.zeros(1, 1, 15, 15))
    assert not any(m._forward_hooks for m in net.modules())


def test_shapes_name_repeated_layers():
    net = nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3)))
    assert "Conv2d x2, ReLU" in repr(show.shapes(net, torch.zeros(1, 1, 8, 8)))


# live -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_live_draws_curves_and_pictures_in_place(shown):
    live = show.Live(every=0)
    live.scalars({"l1": 2.0, "images_per_second": 50.0}, 1)
    live.scalars({"l1": 1.0}, 2)
    live.picture("val", RED, 2)
    live.close()
    assert live.curves == {"l1": ([1, 2], [2.0, 1.0])}
    assert len(shown) == 4 and all(isinstance(thing, show.Picture) for thing in shown)
    assert (shown[-1].rgb[-5, 5] == RED[0, 0]).all()
    assert (shown[1].rgb.shape == shown[0].rgb.shape) and (shown[1].rgb != shown[0].rgb).any()


def test_live_draws_no_more_often_than_asked(shown):
    live = show.Live("l1", every=1e6)
    for step in range(5):
        live.scalars({"l1": 1.0 / (step + 1), "other": 0.0}, step)
    assert len(shown) == 0 and list(live.curves) == ["l1"]
    live.close()
    assert len(shown) == 1


def test_live_is_a_sink_of_the_loggers(shown, tmp_path):
    live = show.Live(every=1e6)
    loggers = Loggers(tmp_path, [live], tensorboard=False)
    loggers.open(0)
    loggers.scalars({"l1": 3.0}, 1)
    loggers.picture("val", RED, 1)
    assert not shown
    loggers.close()
    assert len(shown) == 1  # what was too soon to draw
    assert live.curves["l1"] == ([1], [3.0]) and len(live.frames) == 1
    assert (tmp_path / "metrics.csv").read_text().splitlines() == ["step,l1", "1,3"]


def test_a_movie_moves():
    frames = [np.roll(skimage.data.coffee(), 40 * i, 1) for i in range(20)]
    movie = show.Movie(frames, width=120, most=5)
    mime, data = movie.encoded()
    image = Image.open(io.BytesIO(data))
    assert mime == "image/png" and image.n_frames == 5 and image.width == 120
    first, *_, last = (
        np.asarray(f.convert("RGB")).astype(int) for f in ImageSequence.Iterator(image)
    )
    for got, source in ((first, frames[0]), (last, frames[-1])):
        small = np.asarray(Image.fromarray(source).resize(image.size, Image.Resampling.LANCZOS))
        assert abs(got - small).mean() < 12  # 64 colors
    assert movie.durations[-1] == 3 * movie.durations[0]


def test_a_movie_of_one_picture_stands_still_and_of_none_is_an_error():
    assert Image.open(io.BytesIO(show.Movie([RED]).encoded()[1])).size == (30, 20)
    with pytest.raises(ValueError, match="at least one"):
        show.Movie([])


# explore ----------------------------------------------------------------------------------------


def controls(bundle):
    """The widgets in the box that a display shows."""
    from ipywidgets.widgets.widget import _instances

    return _instances[bundle["application/vnd.jupyter.widget-view+json"]["model_id"]].children


def test_explore_publishes_a_widget_and_a_picture(shown):
    asked = []

    def draw(level, kind, on):
        asked.append((level, kind, on))
        return show.grid([RED if on else BLUE], side=20 + level)

    show.explore(draw, level=(0, 10, 5), kind=["a", "b"], on=True)
    (bundle,) = shown
    assert asked[0] == (5, "a", True)  # what the widget starts with
    assert asked[1:] == [(0, "a", True), (5, "a", True), (10, "a", True)]  # the static picture
    assert "application/vnd.jupyter.widget-view+json" in bundle
    still = Image.open(io.BytesIO(base64.b64decode(bundle["image/jpeg"])))
    assert still.width > 3 * 30
    json.dumps(bundle)


def test_wide_pictures_are_stacked(shown):
    wide = np.zeros((20, 900, 3), np.uint8)
    show.explore(lambda level: show.grid([wide], side=20), level=(0, 10, 5))
    still = Image.open(io.BytesIO(base64.b64decode(shown[0]["image/jpeg"])))
    assert still.height == 3 * 24 - 4 and still.width < 1100


def test_explore_draws_again_when_a_slider_moves(shown):
    asked = []

    def draw(strength, steps):
        asked.append((strength, steps))
        return show.grid([RED if strength < 0.5 else BLUE], side=20)

    show.explore(draw, strength=(0.0, 1.0, 0.2), steps=(1, 9, 3))
    slider, _, image = controls(shown[0])
    before = image.value
    slider.value = 0.9
    assert asked[-1] == (0.9, 3) and image.value != before
    pixel = np.asarray(Image.open(io.BytesIO(image.value)).convert("RGB"))[10, 10]
    assert pixel[2] > 150 > pixel[0]


@pytest.mark.parametrize("bad", [[], (1, 2), "abc", 3.0])
def test_explore_refuses_what_is_no_control(bad, shown):
    with pytest.raises(ValueError, match="level="):
        show.explore(lambda level: show.grid([RED]), level=bad)
