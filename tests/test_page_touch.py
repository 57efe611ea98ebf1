"""Touching up on the page: dots, strokes, likely colors, other takes, how sure the net is."""

import io
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect
from running_page import (
    PATIENCE,
    App,
    colored,
    download,
    drop,
    on_a_phone,
    running_app,
    tiny_weights,
)
from skimage import data

from pix2pix import images, nets, recipes
from pix2pix.app import page
from pix2pix.app.page.coloring import Coloring, Opened
from pix2pix.app.page.handlers import Handlers
from pix2pix.app.page.unsure import MOST, unsure_picture
from pix2pix.colorize import Colorizer
from pix2pix.weights import Header, save

pytest_plugins = ["running_page"]

RED = (255, 0, 0)


def hint_weights(path: Path) -> None:
    """The bundled default's kind of net, untrained; the mean of all colors, purple, is left out."""
    torch.manual_seed(0)
    generator = recipes.build("hints", generator={"blend": 0.0, "vivid": 0.0}).generator
    save(path, generator, Header(generator=nets.config_of(generator), name="hints"))


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app, with a net that takes hints."""
    with running_app(tmp_path_factory.mktemp("space"), hint_weights) as found:
        yield found


@pytest.fixture(scope="module")
def colorizer(tmp_path_factory: pytest.TempPathFactory) -> Colorizer:
    """The same net in this process."""
    path = tmp_path_factory.mktemp("weights") / "hints.safetensors"
    hint_weights(path)
    return Colorizer.from_pretrained(path, device="cpu")


def a_photo(width: int = 600, height: int = 400, *, mirrored: bool = False) -> bytes:
    gray = Image.fromarray(data.chelsea()).convert("L").resize((width, height))
    file = io.BytesIO()
    (gray.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else gray).save(file, "PNG")
    return file.getvalue()


# --- in the browser -------------------------------------------------------------------------------


@pytest.fixture
def canvas(tab: Page) -> Locator:
    """The photo to paint on, just dropped and with nothing on it."""
    with colored(tab):
        drop(tab, a_photo(), "cat.png")
    return start_touching(tab)


def start_touching(tab: Page) -> Locator:
    found = tab.locator("#touch-photo canvas")
    expect(found).to_be_hidden()
    tab.get_by_role("button", name="Touch up the colors").click()
    expect(found).to_be_visible()
    expect(tab.locator("#before-after")).to_be_hidden()
    return found


def after(tab: Page) -> np.ndarray:
    """The pixels of the result on the page (H, W, 3)."""
    address = tab.locator("#before-after img").last.get_attribute("src") or ""
    file = io.BytesIO(tab.request.get(address).body())
    return np.asarray(Image.open(file).convert("RGB")).astype(int)


def done(tab: Page) -> None:
    tab.get_by_role("button", name="Done").click()
    expect(tab.locator("#before-after")).to_be_visible()


def use_color(tab: Page, color: str) -> None:
    tab.get_by_label("Color to paint with").fill(color)


def tap(canvas: Locator, x: float, y: float) -> None:
    """Click at fractions of its sides."""
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    canvas.click(position={"x": x * box["width"], "y": y * box["height"]})


def stroke(tab: Page, canvas: Locator, *points: tuple[float, float]) -> None:
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    for i, (x, y) in enumerate(points):
        tab.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=20)
        if i == 0:
            tab.mouse.down()
    tab.mouse.up()


def redness(rgb: np.ndarray, x: float, y: float) -> float:
    """How much redder than green a few pixels around a place are."""
    row, column = int(y * rgb.shape[0]), int(x * rgb.shape[1])
    some = rgb[row - 2 : row + 3, column - 2 : column + 3].astype(int)
    return float((some[..., 0] - some[..., 1]).mean())


@pytest.mark.browser
def test_a_red_dot_and_undo(tab: Page, canvas: Locator, colorizer: Colorizer, tmp_path) -> None:
    told: list[str] = []
    tab.on("console", lambda message: told.append(message.text))
    tab.on("pageerror", lambda error: told.append(str(error)))
    plain = after(tab)
    use_color(tab, "#ff0000")
    with colored(tab):
        tap(canvas, 0.5, 0.5)
    red = after(tab)
    assert redness(red, 0.5, 0.5) > 60 > 20 > redness(plain, 0.5, 0.5)
    assert np.abs(red - plain)[:50, :50].max() < 40  # a corner is not red

    expect(tab.get_by_role("button", name="Download")).to_be_hidden()  # one thing at a time
    expect(tab.get_by_role("button", name="Touch up the colors")).to_be_hidden()
    done(tab)
    gray = images.read(a_photo()).rgb
    result = images.read(download(tab, tmp_path)).rgb
    expected = colorizer.rgb(gray, hints=[(300, 200, RED)])
    assert np.abs(result.astype(int) - expected).mean() < 1  # a click is a pixel off at most
    assert redness(result, 0.5, 0.5) > 60

    start_touching(tab)
    with colored(tab):
        tab.get_by_role("button", name="Undo").click()
    assert (after(tab) == plain).all()
    expect(tab.get_by_role("button", name="Undo")).to_be_disabled()
    done(tab)
    assert (images.read(download(tab, tmp_path)).rgb == colorizer.rgb(gray)).all()
    assert told == []


@pytest.mark.browser
def test_first_a_dot_and_then_its_color(tab: Page, canvas: Locator) -> None:
    tab.reload()
    tab.get_by_label("Sample photo 2").wait_for()
    with colored(tab):
        drop(tab, a_photo(), "cat.png")
    start_touching(tab)
    chosen = tab.locator("#touch-up [data-color][aria-pressed=true]")
    expect(chosen).to_have_count(0)
    plain, status = after(tab), tab.locator("#touch-photo .status")
    for x in (0.2, 0.5):  # the second in place of the first
        tap(canvas, x, 0.5)
        expect(status).to_have_text("Now pick its color")
        expect(tab.locator("#likely button").first).to_be_visible()
    assert (after(tab) == plain).all()
    undo = tab.get_by_role("button", name="Undo")
    undo.click()
    expect(status).to_be_hidden()
    expect(undo).to_be_disabled()
    tap(canvas, 0.5, 0.5)
    with colored(tab):
        tab.get_by_role("button", name="Brick").click()
    expect(chosen).to_have_text(["Brick"])
    assert redness(after(tab), 0.5, 0.5) > 30 + redness(plain, 0.5, 0.5)
    with colored(tab):  # with a color, a dot is painted at once
        tap(canvas, 0.2, 0.8)
    for _ in range(2):
        with colored(tab):
            undo.click()
    assert (after(tab) == plain).all()
    expect(undo).to_be_disabled()
    tab.keyboard.press("Escape")
    expect(canvas).to_be_hidden()
    expect(tab.locator("#before-after")).to_be_visible()


@pytest.mark.browser
def test_a_stroke_clear_and_color_strength(tab: Page, canvas: Locator) -> None:
    plain = after(tab)
    use_color(tab, "#ff0000")
    with colored(tab):
        stroke(tab, canvas, (0.2, 0.3), (0.8, 0.3))
    for x in (0.2, 0.35, 0.5, 0.65, 0.8):  # all along
        assert redness(after(tab), x, 0.3) > 30 + redness(plain, x, 0.3)
    with colored(tab):
        tab.locator("#saturation input[type=range]").press("End")
    strong = redness(after(tab), 0.5, 0.3)
    with colored(tab):
        tab.locator("#saturation input[type=range]").press("Home")
    assert abs(redness(after(tab), 0.5, 0.3)) < 2 < 40 < strong
    number = tab.locator("#saturation input[type=number]")
    number.fill("1")
    with colored(tab):
        number.press("Enter")
    with colored(tab):
        tab.get_by_role("button", name="Clear all").click()
    assert (after(tab) == plain).all()
    with colored(tab):  # that too can be undone
        tab.get_by_role("button", name="Undo").click()
    assert redness(after(tab), 0.5, 0.3) > 30 + redness(plain, 0.5, 0.3)


@pytest.mark.browser
def test_a_likely_color_is_applied(tab: Page, canvas: Locator, colorizer: Colorizer) -> None:
    gray = images.read(a_photo()).rgb
    use_color(tab, "#ff0000")
    with colored(tab):
        tap(canvas, 0.25, 0.75)
    offers = tab.locator("#likely button")
    expect(offers.first).to_be_visible()
    found = colorizer.suggest(gray, 150, 300)
    expect(offers).to_have_count(len(found))  # the likeliest first, without percentages
    for i, (color, _) in enumerate(found):
        expect(offers.nth(i)).to_have_attribute("data-color", f"#{bytes(color).hex()}")
    expect(tab.locator("#likely")).not_to_contain_text("%")
    chosen = max(found, key=lambda each: each[0][2] - each[0][0])[0]  # the bluest
    with colored(tab):
        tab.locator(f"#likely [data-color='#{bytes(chosen).hex()}']").click()
    expected = colorizer.rgb(gray, hints=[(150, 300, chosen)]).astype(int)
    assert np.abs(after(tab) - expected).mean() < 2
    assert redness(after(tab), 0.25, 0.75) < 10
    expect(tab.get_by_label("Color to paint with")).to_have_value(f"#{bytes(chosen).hex()}")
    with colored(tab):  # the dot is red again
        tab.get_by_role("button", name="Undo").click()
    assert redness(after(tab), 0.25, 0.75) > 40


@pytest.mark.browser
def test_a_dot_and_a_stroke_are_erased_and_come_back(tab: Page, canvas: Locator) -> None:
    plain = after(tab)
    use_color(tab, "#ff0000")
    with colored(tab):
        tap(canvas, 0.2, 0.8)
    with colored(tab):
        stroke(tab, canvas, (0.3, 0.3), (0.8, 0.3))
    both = after(tab)
    erase = tab.get_by_role("button", name="Erase")
    erase.click()
    expect(erase).to_have_attribute("aria-pressed", "true")
    tap(canvas, 0.5, 0.9)  # nothing is there
    expect(tab.locator("#touch-photo .status")).to_have_text("Nothing to erase here")
    with colored(tab):
        tap(canvas, 0.55, 0.31)  # between two points of the stroke
    assert redness(after(tab), 0.2, 0.8) > 40
    assert redness(after(tab), 0.5, 0.3) < 20 + redness(plain, 0.5, 0.3)
    with colored(tab):
        tab.get_by_role("button", name="Undo").click()  # the whole stroke at once
    assert (after(tab) == both).all()
    with colored(tab):
        tap(canvas, 0.2, 0.8)
    assert redness(after(tab), 0.2, 0.8) < 20 + redness(plain, 0.2, 0.8)
    canvas.focus()
    for _ in range(10):
        canvas.press("ArrowUp")  # to where the stroke is
    with colored(tab):
        canvas.press("Delete")
    assert (after(tab) == plain).all()
    for _ in range(2):
        with colored(tab):
            canvas.press("Control+z")
    assert (after(tab) == both).all()


@pytest.mark.browser
def test_the_last_dot_takes_the_color_that_is_picked(tab: Page, canvas: Locator) -> None:
    use_color(tab, "#ff0000")
    with colored(tab):
        tap(canvas, 0.5, 0.5)
    assert redness(after(tab), 0.5, 0.5) > 60
    grass = tab.get_by_role("button", name="Grass")
    expect(grass).to_have_text("Grass")  # not only for those who hover
    with colored(tab):
        grass.click()
    assert redness(after(tab), 0.5, 0.5) < 0
    with colored(tab):
        tab.get_by_role("button", name="Undo").click()
    assert redness(after(tab), 0.5, 0.5) > 60
    grass.click()  # for the next dot: the last one was undone
    expect(tab.get_by_label("Color to paint with")).to_have_value("#5d8c3a")
    assert redness(after(tab), 0.5, 0.5) > 60


@pytest.mark.browser
def test_leaving_with_dots_that_were_not_downloaded_is_asked(
    tab: Page, canvas: Locator, tmp_path: Path
) -> None:
    asked: list[str] = []
    tab.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    use_color(tab, "#ff0000")
    with colored(tab):
        tap(canvas, 0.5, 0.5)
    done(tab)
    download(tab, tmp_path)
    tab.reload()  # nothing is lost
    assert asked == []
    tab.get_by_label("Sample photo 2").wait_for()
    with colored(tab):
        drop(tab, a_photo(), "cat.png")
    canvas = start_touching(tab)
    use_color(tab, "#ff0000")
    with colored(tab):
        tap(canvas, 0.5, 0.5)
    tab.reload()
    tab.get_by_label("Sample photo 2").wait_for()
    assert asked == ["beforeunload"]


@pytest.mark.browser
def test_a_color_is_taken_from_the_photo(tab: Page, canvas: Locator) -> None:
    pick = tab.get_by_role("button", name="Pick from photo")
    use_color(tab, "#ff0000")
    with colored(tab):
        tap(canvas, 0.5, 0.5)
    pick.click()
    tap(canvas, 0.5, 0.5)
    shown = after(tab)[200, 300]
    value = tab.get_by_label("Color to paint with").input_value()
    assert np.abs(np.array(list(bytes.fromhex(value[1:]))) - shown).max() < 30
    expect(pick).to_have_attribute("aria-pressed", "false")
    was = tab.get_by_role("button", name="Show the gray photo")
    was.click()
    pick.click()
    tap(canvas, 0.5, 0.5)
    gray = bytes.fromhex(tab.get_by_label("Color to paint with").input_value()[1:])
    assert max(gray) - min(gray) <= 2


@pytest.mark.browser
def test_by_keys_and_gone_with_the_next_photo(
    tab: Page, canvas: Locator, colorizer: Colorizer, tmp_path: Path
) -> None:
    use_color(tab, "#ff0000")
    canvas.focus()
    for _ in range(5):
        canvas.press("ArrowLeft")
    with colored(tab):
        canvas.press("Enter")
    assert redness(after(tab), 0.4, 0.5) > 40
    with colored(tab):
        canvas.press("Control+z")
    assert redness(after(tab), 0.4, 0.5) < 20
    with colored(tab):
        canvas.press("Enter")
    tab.get_by_role("button", name="Done").click()
    expect(canvas).to_be_hidden()
    expect(tab.locator("#before-after")).to_be_visible()
    with colored(tab):
        drop(tab, a_photo(mirrored=True), "tac.png")
    gray = images.read(a_photo(mirrored=True)).rgb
    assert (images.read(download(tab, tmp_path)).rgb == colorizer.rgb(gray)).all()
    start_touching(tab)
    expect(tab.get_by_role("button", name="Undo")).to_be_disabled()
    with colored(tab):
        drop(tab, a_photo(), "cat.png")
    expect(canvas).to_be_hidden()  # the next one is compared first


@pytest.mark.browser
def test_other_takes_keep_what_was_painted(
    tab: Page, canvas: Locator, colorizer: Colorizer, tmp_path: Path
) -> None:
    use_color(tab, "#ff0000")
    with colored(tab):
        tap(canvas, 0.5, 0.5)
    done(tab)
    tab.get_by_role("button", name="Other takes").click()
    takes = tab.locator("#takes button:has(img)")
    expect(takes).to_have_count(6, timeout=PATIENCE)
    with colored(tab):
        takes.nth(5).click()
    result = images.read(download(tab, tmp_path)).rgb.astype(int)
    gray = images.read(a_photo()).rgb
    expected = colorizer.rgb(gray, seed=3, hints=[(300, 200, RED)])
    assert np.abs(result - expected).mean() < 1
    assert redness(result, 0.5, 0.5) > 60


@pytest.mark.browser
def test_how_sure_it_is(tab: Page, colorizer: Colorizer) -> None:
    with colored(tab):
        drop(tab, a_photo(), "cat.png")
    expect(tab.locator("#unsure")).to_be_hidden()
    tab.get_by_role("button", name="How sure is it?").click()
    expect(tab.locator("#unsure-map img")).to_have_count(2, timeout=PATIENCE)
    expect(tab.locator("#unsure-legend")).to_contain_text("Just a guess")
    address = tab.get_by_alt_text("How sure the colors are").get_attribute("src") or ""
    file = io.BytesIO(tab.request.get(address).body())
    shown = np.asarray(Image.open(file).convert("RGB")).astype(int)
    gray = images.read(a_photo()).rgb
    assert np.abs(shown - unsure_picture(colorizer.unsure(gray), gray)).mean() < 3
    canvas = start_touching(tab)
    use_color(tab, "#ff0000")
    with colored(tab):
        tap(canvas, 0.5, 0.5)
    done(tab)
    expect(tab.locator("#unsure")).to_be_hidden()  # it is surer now
    tab.get_by_role("button", name="How sure is it?").click()
    expect(tab.locator("#unsure-map img")).to_have_count(2, timeout=PATIENCE)
    with colored(tab):
        drop(tab, a_photo(mirrored=True), "tac.png")
    expect(tab.locator("#unsure")).to_be_hidden()


@pytest.mark.browser
def test_on_a_phone(app: App, browser: Browser) -> None:
    with on_a_phone(app, browser, "Sample photo 3") as phone:
        with colored(phone):
            phone.get_by_label("Sample photo 3").tap()
        phone.get_by_role("button", name="Touch up the colors").tap()
        canvas = phone.locator("#touch-photo canvas")
        expect(canvas).to_be_visible()
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390
        phone.get_by_role("button", name="Violet").tap()
        old = after(phone)
        box = canvas.bounding_box()
        assert box and box["width"] > 250
        expect(phone.get_by_role("button", name="Done")).to_be_in_viewport()
        with colored(phone):
            canvas.tap(position={"x": box["width"] / 2, "y": box["height"] / 2})
        new = after(phone)
        row, column = new.shape[0] // 2, new.shape[1] // 2
        assert (new - old)[row, column, 1] < -10  # less green: violet
        expect(phone.locator("#likely button").first).to_be_visible()
        for name in ("Undo", "Done"):
            expect(phone.get_by_role("button", name=name)).to_be_in_viewport(ratio=1)


# --- without a browser ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def handlers(colorizer: Colorizer, tmp_path_factory: pytest.TempPathFactory) -> Handlers:
    return Handlers(Coloring(colorizer, tmp_path_factory.mktemp("cache"), 10**7))


@pytest.fixture(scope="module")
def just_opened(handlers: Handlers, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    photo = tmp_path_factory.mktemp("sent") / "cat.png"
    photo.write_bytes(a_photo(2000, 1500))
    *_, (found, *_) = handlers.open(str(photo), None, 1.0)
    return found


@pytest.fixture
def opened(just_opened: Opened) -> Opened:
    """A photo that nobody has painted on yet; its files are the module's."""
    return replace(just_opened)


def touches(opened: Opened, *hints: str, turn: int = 1) -> str:
    return json.dumps({"photo": f"/file={opened.before}", "turn": turn, "hints": hints})


@pytest.mark.slow
def test_hints_are_scaled_to_the_full_size(
    handlers: Handlers, opened: Opened, colorizer: Colorizer
) -> None:
    assert opened.rgb.shape == (1200, 1600, 3)
    painted = touches(opened, "0.25,0.5,#ff0000")
    pair, _ = handlers.touch(opened, None, painted, 1.0)
    small = images.read(pair["value"][1]).rgb.astype(int)
    *_, ready = handlers.write(opened, None, painted, 1.0)
    full = images.read(a_photo(2000, 1500)).rgb
    expected = colorizer.rgb(full, hints=[(500, 750, RED)])
    assert (images.read(ready["value"]).rgb == expected).all()
    expected = colorizer.rgb(opened.rgb, hints=[(400, 600, RED)])
    assert np.abs(small - expected).mean() < 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[]",
        '{"photo": 5, "turn": 1, "hints": []}',
        "BEFORE red",
        "BEFORE 0.5,0.5",
        "BEFORE 1.5,0.5,#ff0000",
        "BEFORE nan,0.5,#ff0000",
    ],
)
def test_what_the_script_never_sends_is_refused(
    handlers: Handlers, opened: Opened, text: str
) -> None:
    if text.startswith("BEFORE "):
        text = touches(opened, text[7:])
    with pytest.raises(gr.Error, match=page.MESSAGES["hint"]):
        handlers.touch(opened, None, text, 1.0)


@pytest.mark.slow
def test_what_was_painted_on_another_photo_is_left_out(
    handlers: Handlers, opened: Opened, colorizer: Colorizer
) -> None:
    other = json.dumps({"photo": "/file=/tmp/x/before.jpg", "turn": 7, "hints": ["0,0,#ff0000"]})
    pair, _ = handlers.touch(opened, None, other, 1.0)
    rgb = images.read(pair["value"][1]).rgb.astype(int)
    assert np.abs(rgb - colorizer.rgb(opened.rgb)).mean() < 1


@pytest.mark.slow
def test_late_answers_are_dropped(handlers: Handlers, opened: Opened) -> None:
    first, second = touches(opened, "0.1,0.1,#ff0000"), touches(opened, turn=2)
    slow = handlers.color(opened, None, first, 0.5)
    next(slow)  # its pictures are shown, its file is on the way
    handlers.touch(opened, None, second, 0.5)
    assert list(slow) == [(gr.skip(), gr.skip())]  # said last, so that nothing old is repeated
    # a color strength from before the second touch colors what is painted now
    pair, _ = next(handlers.color(opened, None, first, 1.5))
    assert opened.wish and opened.wish.hints == ()
    assert list(handlers.write(opened, None, second, 0.5)) == [gr.skip()]


@pytest.mark.slow
def test_a_touch_is_quick(handlers: Handlers, opened: Opened) -> None:
    many = [f"{0.1 + 0.0025 * i:.4f},0.5,#ff0000" for i in range(300)]
    handlers.touch(opened, None, touches(opened, *many), 1.0)
    start = time.process_time()  # of the work, whatever else the machine is at
    handlers.touch(opened, None, touches(opened, *many, turn=2), 1.0)
    assert time.process_time() - start < 1.5  # 0.5 s on a server's core


def test_certain_is_dark_and_unsure_is_bright() -> None:
    rgb = np.full((80, 120, 3), 255, np.uint8)
    spread = np.zeros((4, 6), np.float32)
    spread[:, 3:] = MOST * 2
    picture = unsure_picture(spread, rgb)
    assert picture.shape == rgb.shape
    np.testing.assert_allclose(picture[40, 5], (0, 0, 4), atol=2)
    np.testing.assert_allclose(picture[40, -5], (252, 253, 191), atol=2)
    middle = unsure_picture(np.full((4, 6), 15.0, np.float32), rgb)  # half of what is a guess
    np.testing.assert_allclose(middle[40, 60], (183, 55, 121), atol=3)
    light = picture.astype(int).sum(2)[40]
    assert (np.diff(light) >= -3).all() and np.diff(light).max() < 120  # smooth
    np.testing.assert_array_less(unsure_picture(spread, rgb * 0)[40, -5], picture[40, -5])


@pytest.mark.slow
def test_controls_are_there_for_what_the_net_can(colorizer: Colorizer, tmp_path: Path) -> None:
    tiny_weights(tmp_path / "tiny.safetensors")
    plain = Colorizer.from_pretrained(tmp_path / "tiny.safetensors", device="cpu")
    asked = {"ask-touch", "ask-unsure", "touch"}
    for net, expected in ((colorizer, asked), (plain, set())):
        built = page.build_page(net)
        names = {getattr(block, "elem_id", None) for block in built.blocks.values()}
        assert names & asked == expected
        assert "ask-takes" in names
    assert colorizer.has_variants  # without dropout
    assert not re.search("dropout': 0.[1-9]", str(colorizer.header.generator))
