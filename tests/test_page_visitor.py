"""The page as a visitor meets it: words, order, contrast, what moves, what a link to it shows."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from running_page import PATIENCE, App, colored, download, drop, drop_many, on_a_phone
from skimage import data

from pix2pix import images
from pix2pix.app.page.words import NOTICES

pytest_plugins = ["running_page"]
pytestmark = pytest.mark.browser

BEFORE, AFTER = "#before-after img >> nth=0", "#before-after img >> nth=1"


def file_of(rgb: np.ndarray, format: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, format)
    return file.getvalue()


def gray_of(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> the same in gray, (H, W)."""
    return np.asarray(Image.fromarray(rgb).convert("L"))


FACE = data.astronaut()[:400, :300]


@pytest.fixture
def face(tab: Page) -> Page:
    """The page with a gray portrait on it."""
    with colored(tab):
        drop(tab, file_of(gray_of(FACE)), "face.png")
    return tab


def test_what_kind_of_photo_it_is_is_told(face: Page) -> None:
    notice = face.locator("#notice")
    expect(notice).to_be_hidden()
    sepia = gray_of(FACE)[..., None] / 255 * (255, 225, 180)
    negative = (255 - FACE) / 255 * (150, 80, 40) + (90, 45, 20)
    for kind, rgb in {"color": FACE, "toned": sepia, "negative": negative}.items():
        with colored(face):
            drop(face, file_of(rgb.astype(np.uint8)), f"{kind}.png")
        expect(notice).to_have_text(NOTICES[kind])
        address = face.locator(BEFORE).get_attribute("src") or ""
        before = images.read(face.request.get(address).body()).rgb.astype(int)
        assert np.ptp(before, axis=2).max() <= 2  # what the net saw
    with colored(face):
        drop(face, file_of(gray_of(FACE)), "gray.png")
    expect(notice).to_be_hidden()


def test_what_comes_next_is_under_the_photo(face: Page) -> None:
    order = ["#before-after", "#note", "#controls", "#ask-more", "#upload"]
    boxes = [face.locator(name).bounding_box() for name in order]
    tops = [box["y"] for box in boxes if box]
    assert tops == sorted(tops) and len(tops) == len(order)
    assert tops[1] - (tops[0] + boxes[0]["height"]) < 40  # right under it
    drop_zone = face.locator("#upload button")
    expect(drop_zone).to_have_attribute("aria-label", "Drop, paste or choose another photo")
    expect(face.locator("#upload input")).to_have_attribute("accept", "image/*")
    told = """name => {
      const text = document.createElement('div');
      text.className = 'progress-text';
      document.querySelector(`${name} [data-testid=status-tracker]`).append(text);
      const {content} = getComputedStyle(text, '::after');
      text.remove();
      return content;
    }"""
    assert face.evaluate(told, "#upload") == '"Coloring ..."'


def test_color_sweeps_in_once_unless_nothing_is_to_move(face: Page) -> None:
    face.evaluate("""() => {
      window.moved = 0;
      const {animate} = Element.prototype;
      Element.prototype.animate = function (...how) {
        if (this.closest('#before-after')) window.moved += 1;
        return animate.apply(this, how);
      };
    }""")
    with colored(face):
        drop(face, file_of(gray_of(FACE)), "still.png")
    assert face.evaluate("moved") == 0
    face.emulate_media(reduced_motion="no-preference")
    with colored(face):
        drop(face, file_of(gray_of(FACE)), "again.png")
    face.wait_for_function("window.moved === 2")  # the color and the handle
    with colored(face):
        face.locator("#temperature input[type=range]").press("End")
    assert face.evaluate("moved") == 2
    face.emulate_media(reduced_motion="reduce")
    clip = face.locator(AFTER).evaluate("image => getComputedStyle(image).clipPath")
    assert "50%" not in clip  # where faces are


def test_a_press_on_the_picture_shows_the_gray_photo(face: Page) -> None:
    face.evaluate("scrollTo(0, 0)")
    box = face.locator("#before-after").bounding_box()
    assert box
    face.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.3 * box["height"])
    expect(face.locator(AFTER)).to_be_visible()
    face.mouse.down()
    expect(face.locator(AFTER)).to_be_hidden()
    expect(face.locator(BEFORE)).to_be_visible()
    face.mouse.up()
    expect(face.locator(AFTER)).to_be_visible()


def test_before_and_after_in_one_file(face: Page, tmp_path: Path) -> None:
    with face.expect_download() as waiting:
        face.get_by_role("button", name="Save before and after").click()
    path = tmp_path / waiting.value.suggested_filename
    assert path.name == "face.both.jpg"
    waiting.value.save_as(path)
    with Image.open(path) as both:
        assert b"tiny" in both.info["xmp"]  # whose colors they are
        rgb = np.asarray(both.convert("RGB")).astype(int)
    height, width = FACE.shape[:2]
    assert rgb.shape[0] == height and 2 * width < rgb.shape[1] < 2.1 * width
    left, right = rgb[:, :width], rgb[:, -width:]
    assert np.ptp(left, axis=2).max() <= 2 < 10 < np.ptp(right, axis=2).mean()
    assert np.abs(left[..., 0] - gray_of(FACE)).mean() < 2


def test_two_at_once_and_two_in_a_row_are_both_taken(face: Page, tmp_path: Path) -> None:
    one = file_of(gray_of(FACE))
    drop(face, one, "first.png")
    drop(face, file_of(gray_of(FACE)[:, :200]), "second.png")  # while the first is sent
    face.wait_for_function("document.querySelector('#before-after img').naturalWidth === 200")
    expect(face.locator("#download")).to_have_text("Download", timeout=PATIENCE)
    assert download(face, tmp_path).name == "second.color.png"
    drop_many(face, {"a.png": one, "b.png": one})
    expect(face.locator("#told")).to_contain_text("2 photos")
    status = face.locator("#progress [role=status]")
    expect(status).to_have_text("2 of 2 are in color.", timeout=PATIENCE)
    expect(face.locator("#progress img")).to_have_count(2)
    for picture in face.locator("#progress img").all():
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    bar, list_of_files = face.locator("progress"), face.locator("#uploads")
    expect(list_of_files).to_be_visible()
    above, below = bar.bounding_box(), list_of_files.bounding_box()
    assert above and below and above["y"] < below["y"]
    bar.evaluate("bar => bar.parentElement.classList.add('running')")
    expect(list_of_files).to_be_hidden()  # while photos are colored
    face.get_by_role("tab", name="One photo").click()


_PALE = """() => {
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const linear = level => {
    const share = level / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  const luminance = ([r, g, b]) =>
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = thing => {
    for (let each = thing; each; each = each.parentElement) {
      const color = numbers(getComputedStyle(each).backgroundColor);
      if (color.length < 4 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const pale = [];
  for (const thing of document.querySelectorAll('#page *')) {
    const words = [...thing.childNodes].filter(node => node.nodeType === 3);
    const text = words.map(node => node.textContent).join('').trim();
    const seen = thing.checkVisibility({opacityProperty: true, visibilityProperty: true});
    const style = getComputedStyle(thing);
    if (!text || !seen || thing.closest(':disabled') || parseFloat(style.fontSize) < 1) continue;
    const [low, high] = [luminance(numbers(style.color)), luminance(behind(thing))].sort(
      (a, b) => a - b,
    );
    if ((high + 0.05) / (low + 0.05) < 4.5) pale.push(text);
  }
  return pale;
}"""
"""Texts whose contrast is below 4.5 (WCAG 2.2, 1.4.3)."""
_SMALL = """() =>
  [...document.querySelectorAll('#page :is(button, a, input, [role=tab])')]
    .filter(thing => thing.checkVisibility({visibilityProperty: true}))
    .filter(thing => {
      const {width, height} = thing.getBoundingClientRect();
      return Math.min(width, height) < 40 && thing.closest('p') === null;
    })
    .map(thing => thing.outerHTML.slice(0, 120))"""
"""Things to tap that are smaller than 40 x 40 px."""


def test_a_phone_says_what_a_phone_can_and_is_easy_to_tap_and_to_read(
    app: App, browser: Browser
) -> None:
    with on_a_phone(app, browser, "Sample photo 5") as phone:
        zone = phone.locator("#upload button")
        expect(zone).to_have_attribute("aria-label", "Choose a photo")
        assert phone.evaluate(_PALE) == [] == phone.evaluate(_SMALL)
        with colored(phone):
            phone.get_by_label("Sample photo 5").tap()
        expect(zone).to_have_attribute("aria-label", "Choose another photo")
        phone.get_by_role("button", name="Other takes").tap()
        expect(phone.locator("#takes img")).to_have_count(6, timeout=PATIENCE)
        phone.add_style_tag(content="*, ::before, ::after {transition: none !important}")
        for tab in ("One photo", "Many photos", "About"):
            phone.get_by_role("tab", name=tab).tap()
            assert phone.evaluate("document.documentElement.scrollWidth") <= 390
            for dark in (False, True):
                phone.evaluate("dark => document.body.classList.toggle('dark', dark)", dark)
                assert phone.evaluate(_PALE) == [], (tab, dark)
            assert phone.evaluate(_SMALL) == [], tab
