"""What notebooks show: pictures, source, shapes, live curves, sliders."""

import base64
import html
import io
import json
import re

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

pytest_plugins = ["running_page"]
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


def test_rows_of_several_shapes_get_one_width():
    tall, flat = np.zeros((40, 20, 3), np.uint8), np.full((10, 40, 3), 90, np.uint8)
    sheet = show.grid([[tall, tall], [flat, flat]], side=40).rgb
    assert sheet.shape == (113 + 4 + 14, 57 + 4 + 57, 3)
    assert (sheet[:, 0] < 128).sum() >= sheet.shape[0] - 4  # no paper beside the narrow one


def test_a_narrow_cell_stands_in_the_middle_of_its_column():
    sheet = show.grid([[RED, BLUE[:, :10]], [BLUE[:, :10], RED]], side=20).rgb
    assert (sheet[10, 34:44] == 255).all() and (sheet[10, 44:54] == BLUE[0, 0]).all()


def test_text_grows_with_the_sheet():
    def height(side):
        sheet = show.grid([RED, RED], columns=["red", "red"], side=side).rgb
        return len(sheet) - side

    assert height(20) == height(200) < height(600)


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


def test_figures_are_closed_and_small_and_can_be_read_on_any_ground():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plot, axis = plt.subplots(figsize=(4, 2))
    axis.plot([1, 2, 3], "k", label="loss")
    axis.annotate("here", (1, 2), (1, 1.2), arrowprops={"arrowstyle": "->"})
    axis.legend()
    picture = show.figure(plot)
    assert not plt.get_fignums()
    mime, data = picture.encoded()
    assert mime == "image/png" and len(data) < 20_000
    drawn = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA")).astype(int)
    assert drawn[0, 0, 3] == 0
    ink = drawn[drawn[..., 3] > 250][:, :3]
    assert len(ink) > 500 and (abs(ink - 0x7A) < 24).all()  # neither black nor white
    assert (picture.rgb[0, 0] == 255).all()  # what is pasted into sheets has white paper


def test_figures_keep_colors_that_were_chosen():
    import matplotlib.pyplot as plt

    plot, axis = plt.subplots(figsize=(4, 2))
    axis.plot([1, 2, 3], color="#c03020", linewidth=6)
    axis.set_title("a", color="#2030c0", fontsize=30)
    found = {tuple(color) for color in show.figure(plot).rgb.reshape(-1, 3) // 16}
    assert {(12, 3, 2), (2, 3, 12)} <= found


def test_notebooks_get_one_format():
    bundle, _ = DisplayFormatter().format(show.grid([RED]))
    assert set(bundle) == {"image/jpeg", "text/plain"}
    assert Image.open(io.BytesIO(bundle["image/jpeg"])).size == (240, 160)


def test_large_pictures_are_coarser():
    photo = skimage.data.coffee()
    small, large = (show.grid([photo] * n, side=200).encoded()[1] for n in (1, 9))
    tables = [Image.open(io.BytesIO(data)).quantization[0] for data in (small, large)]
    assert sum(tables[0]) < sum(tables[1]) / 1.5
    assert len(small) < 24_000 and len(large) < 9 * len(small) * 0.7


# source and shapes ------------------------------------------------------------------------------


def test_source_is_the_real_one():
    shown = show.source(nets.PatchGAN.forward)
    assert "return self.layers(pair)" in repr(shown) and repr(shown).startswith("def forward")
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


def of_html(markup):
    """The first image of some HTML."""
    found = re.search(r'src="data:image/webp;base64,([^"]+)"', markup)
    return Image.open(io.BytesIO(base64.b64decode(found[1])))


def test_a_movie_moves():
    frames = [np.roll(skimage.data.coffee(), 40 * i, 1) for i in range(20)]
    movie = show.Movie(frames, width=120, most=5)
    bundle, _ = DisplayFormatter().format(movie)
    assert set(bundle) == {
        "text/html",
        "text/plain",
    }  # neither GitHub nor nbconvert show image/webp
    image = of_html(bundle["text/html"])
    assert image.n_frames == 5 and image.width == 120 and 'width="120"' in bundle["text/html"]
    first, *_, last = (
        np.asarray(f.convert("RGB")).astype(int) for f in ImageSequence.Iterator(image)
    )
    for got, source in ((first, frames[0]), (last, frames[-1])):
        small = np.asarray(Image.fromarray(source).resize(image.size, Image.Resampling.LANCZOS))
        assert abs(got - small).mean() < 12
    assert movie.durations[-1] == 3 * movie.durations[0]


@pytest.mark.slow
def test_a_movie_gets_coarser_until_it_is_small():
    frames = [np.roll(skimage.data.coffee()[::2], 40 * i, 1) for i in range(8)]
    sizes = []
    for most in (10**9, 100_000, 30_000):
        data = show.Movie(frames, most_bytes=most).encoded()[1]
        assert Image.open(io.BytesIO(data)).n_frames == 8 and len(data) <= most
        sizes.append(Image.open(io.BytesIO(data)).width)
    assert sizes[0] == sizes[1] == 600 > sizes[2]


def test_small_pictures_are_shown_large():
    markup = show.Movie([RED, BLUE])._repr_mimebundle_()["text/html"]
    assert 'width="640"' in markup and "pixelated" in markup and of_html(markup).width == 30


def test_the_movie_of_a_run_tells_the_steps(shown):
    live = show.Live(every=1e9)
    for step in (0, 1000):
        live.picture("val", np.zeros((30, 200, 3), np.uint8), step)
    movie = live.movie()
    assert movie.image.height > 30 and (movie.image.width, len(movie.frames)) == (200, 2)
    first, last = (np.asarray(frame)[:18] for frame in movie.frames)
    assert (last < 128).sum() > (first < 128).sum() > 0  # "step 1,000", "step 0"


def test_a_movie_of_one_picture_stands_still_and_of_none_is_an_error():
    assert Image.open(io.BytesIO(show.Movie([RED]).encoded()[1])).size == (30, 20)
    with pytest.raises(ValueError, match="at least one"):
        show.Movie([])


# explore ----------------------------------------------------------------------------------------


def controls(bundle):
    """The widgets in the box that a display shows."""
    from ipywidgets.widgets.widget import _instances

    return _instances[bundle["application/vnd.jupyter.widget-view+json"]["model_id"]].children


def frames_of(bundle):
    """(What the page's script is told, the sheet) of a display."""
    told = re.search(r'data-frames="([^"]+)"', bundle["text/html"])[1]
    return json.loads(html.unescape(told)), of_html(bundle["text/html"]).convert("RGB")


def test_explore_publishes_a_widget_and_a_sheet_of_frames(shown):
    asked = []

    def draw(level, kind, on):
        asked.append((level, kind, on))
        return show.grid([RED if on else BLUE], side=20)

    show.explore(draw, level=(0, 100, 33), kind=["a", "b"], on=True)
    (bundle,) = shown
    assert asked[0] == (33, "a", True)  # what the widget starts with
    levels = [level for level, *rest in asked[1:9] if rest == ["a", True]]
    assert levels == [0, 14, 33, 43, 57, 71, 86, 100]
    assert asked[9:] == [(33, "a", True), (33, "b", True), (33, "a", False), (33, "a", True)]
    assert "application/vnd.jupyter.widget-view+json" in bundle
    told, sheet = frames_of(bundle)
    assert [(s["name"], s["start"], s["first"]) for s in told["sliders"]] == [
        ("level", 2, 0),
        ("kind", 0, 8),
        ("on", 1, 10),
    ]
    assert told["frame"] == [30, 20] and told["sheet"] == list(sheet.size)
    for place, wanted in zip(told["places"], [RED] * 10 + [BLUE, RED], strict=True):
        x, y = place[0] + 15, place[1] + 10
        assert abs(np.array(sheet.getpixel((x, y))) - wanted[0, 0].astype(int)).max() < 12
    json.dumps(bundle)


def test_a_sheet_has_no_more_bytes_than_it_may(shown):
    photo = skimage.data.astronaut()

    def draw(light, other):
        return show.grid([np.roll(photo, int(90 * light), 1)], side=256)

    for most in (100_000, 25_000):
        show.explore(draw, light=(0.0, 1.0, 0.4), other=[1, 2], most_bytes=most)
    (many, _), (few, sheet) = map(frames_of, shown)
    assert len(many["sliders"]) == 2 and len(many["places"]) == 10
    assert len(few["places"]) < 10 and "0.4" in few["sliders"][0]["values"]
    assert few["sliders"][0]["values"][few["sliders"][0]["start"]] == "0.4"
    assert len(re.search('base64,([^"]+)', shown[1]["text/html"])[1]) * 3 / 4 < 26_000
    assert sheet.size == tuple(few["sheet"])


def test_wide_pictures_are_shrunk_and_transparent_ones_stay_so(shown):
    wide = Image.fromarray(np.zeros((20, 900, 4), np.uint8))
    show.explore(lambda level: show.Picture(wide, png=True), level=(0, 10, 5))
    told, _ = frames_of(shown[0])
    assert told["frame"] == [640, 14]
    sheet = of_html(shown[0]["text/html"])
    assert sheet.mode == "RGBA" and sheet.getpixel((300, told["places"][0][1] + 7))[3] == 0


@pytest.mark.browser
@pytest.mark.slow
def test_the_sheet_is_slid_through_without_a_kernel(shown, browser):
    def draw(level, on):
        return show.grid([np.full((20, 30, 3), level, np.uint8) if on else BLUE], side=20)

    for _ in range(2):
        show.explore(draw, level=(0, 250, 100), on=True)
    page = browser.new_page()
    theme = "<style>div img { margin: 9px; padding: 4px; border: 1px solid }</style>"
    page.set_content(theme + "".join(bundle["text/html"] for bundle in shown))
    rows = page.locator(".pix2pix-frames").nth(1).locator("label")
    view = page.locator(".pix2pix-frames").nth(1).locator("div")

    def seen():
        picture = Image.open(io.BytesIO(view.screenshot())).convert("RGB")
        assert picture.size == (30, 20)
        return picture.getpixel((15, 10))

    assert rows.all_inner_texts() == ["level\n100", "on\nTrue"]
    assert abs(np.array(seen()) - 100).max() < 6
    rows.nth(0).locator("input").fill("7")
    assert rows.nth(0).inner_text() == "level\n250" and min(seen()) > 240
    rows.nth(1).locator("input").fill("0")
    assert rows.all_inner_texts() == ["level\n100", "on\nFalse"]  # the others as they start
    assert seen()[2] > 150 and seen()[0] < 40
    page.close()


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
