"""The page in a browser, what a visitor does beyond the first photo: large files, takes, many."""

import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from places import SAMPLES
from playwright.sync_api import Browser, Page, expect
from running_page import PATIENCE, App, colored, download, drop, drop_many, on_a_phone
from skimage import data

from pix2pix import images
from pix2pix.colorize import Colorizer

pytest_plugins = ["running_page"]
pytestmark = pytest.mark.browser


def file_of(rgb: np.ndarray, format: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(rgb).convert("L").save(file, format)
    return file.getvalue()


def twelve_megapixels() -> bytes:
    """Coffee, 4000 x 3000, gray, as a JPEG file."""
    file = io.BytesIO()
    large = Image.fromarray(data.coffee()).convert("L").resize((4000, 3000))
    large.save(file, "JPEG", quality=90)
    return file.getvalue()


def open_tab(tab: Page, name: str) -> None:
    tab.get_by_role("tab", name=name).click()


def pixels(tab: Page, selector: str) -> np.ndarray:
    """The pixels of a picture on the page."""
    address = tab.locator(selector).get_attribute("src") or ""
    return np.asarray(Image.open(io.BytesIO(tab.request.get(address).body())).convert("RGB"))


def test_photo_of_12_megapixels(colorizer: Colorizer, tab: Page, tmp_path: Path) -> None:
    content = twelve_megapixels()
    with colored(tab):
        drop(tab, content, "large.jpg")
    assert pixels(tab, "#before-after img >> nth=-1").shape == (1200, 1600, 3)  # quick to show
    photo = images.read(content)
    expected = images.encode(colorizer.rgb(photo.rgb), like=photo, model="tiny")
    result = images.read(download(tab, tmp_path))
    assert result.rgb.shape == (3000, 4000, 3) and result.format == "JPEG"
    assert np.abs(result.rgb.astype(int) - images.read(expected).rgb).max() <= 2


def test_other_takes(colorizer: Colorizer, tab: Page, tmp_path: Path) -> None:
    content = file_of(data.astronaut(), "PNG")
    with colored(tab):
        drop(tab, content, "face.png")
    expect(tab.locator("#takes")).to_be_hidden()
    tab.get_by_role("button", name="Other takes").click()
    takes = tab.locator("#takes button:has(img)")
    names = ["Cooler", "As it is", "Warmer", *(f"Other colors {i}" for i in (1, 2, 3))]
    expect(takes).to_have_text(names, timeout=PATIENCE)
    expect(tab.locator("#takes")).to_be_in_viewport(ratio=0.9)
    boxes = [takes.nth(i).bounding_box() for i in range(3)]
    assert all(box and box["y"] == boxes[0]["y"] and box["width"] > 100 for box in boxes)
    picture = tab.locator("#before-after")
    gray, warmth = images.read(content).rgb, tab.locator("#temperature input[type=range]")
    for i, wish in ((4, {"seed": 2}), (2, {"temperature": 10.0}), (0, {"temperature": -10.0})):
        takes.last.scroll_into_view_if_needed()
        expect(picture).not_to_be_in_viewport(ratio=0.95)
        with colored(tab):
            takes.nth(i).click()
        expect(picture).to_be_in_viewport(ratio=0.95)  # where it changes
        rgb = images.read(download(tab, tmp_path)).rgb
        assert np.abs(rgb.astype(int) - colorizer.rgb(gray, **wish)).max() <= 2
        assert np.abs(rgb.astype(int) - colorizer.rgb(gray)).max() > 2
        expect(warmth).to_have_value(str(round(wish.get("temperature", 0))))
    with colored(tab):  # they are takes of other colors now
        warmth.press("End")
    expect(tab.locator("#takes")).to_be_hidden()
    with colored(tab):  # the next photo starts afresh
        drop(tab, content, "again.png")
    expect(tab.locator("#takes")).to_be_hidden()
    expect(warmth).to_have_value("0")
    rgb = images.read(download(tab, tmp_path)).rgb
    assert np.abs(rgb.astype(int) - colorizer.rgb(gray)).max() <= 2


def test_models_side_by_side(app: App, colorizer: Colorizer, tab: Page) -> None:
    content = file_of(data.astronaut(), "PNG")
    with colored(tab):
        drop(tab, content, "face.png")
    tab.get_by_role("button", name="Compare models").click()
    expect(tab.locator("#models img")).to_have_count(2, timeout=PATIENCE)
    gray = images.read(content).rgb
    path = app.weights.parent / "pix2pix" / "pretrained" / "pix2pix.safetensors"
    course = Colorizer.from_pretrained(path, device="cpu")
    ours, theirs = colorizer.rgb(gray).astype(int), course.rgb(gray).astype(int)
    for i, (expected, other) in enumerate([(theirs, ours), (ours, theirs)]):
        shown = pixels(tab, f"#models img >> nth={i}")
        assert np.abs(shown - expected).mean() < 2 < 3 * 2 < np.abs(shown - other).mean()
    expect(tab.locator("#compared")).to_be_in_viewport(ratio=0.9)
    with colored(tab):
        tab.locator("#saturation input[type=range]").press("End")
    expect(tab.locator("#compared")).to_be_hidden()
    tab.get_by_role("button", name="Compare models").click()
    expect(tab.locator("#compared")).to_be_visible()
    tab.get_by_role("button", name="Other takes").click()  # in its place
    expect(tab.locator("#takes")).to_be_visible()
    expect(tab.locator("#compared")).to_be_hidden()


def test_handle_answers_to_keys(tab: Page) -> None:
    with colored(tab):
        drop(tab, file_of(data.astronaut(), "PNG"), "face.png")
    handle = tab.get_by_role("slider", name=re.compile("Compare"))
    first = handle.first.bounding_box()
    handle.first.focus()
    for _ in range(3):
        tab.keyboard.press("ArrowLeft")
    second = handle.first.bounding_box()
    assert first and second and second["x"] < first["x"] - 20
    assert handle.first.get_attribute("aria-valuenow") == "15"
    alts = [image.get_attribute("alt") for image in tab.locator("#before-after img").all()]
    assert alts == ["The photo as it was", "The photo in color"]


def test_many_photos_and_one_broken(colorizer: Colorizer, tab: Page, tmp_path: Path) -> None:
    astronaut = data.astronaut()[:200, :300]
    good = {
        "a.jpg": file_of(astronaut, "JPEG"),
        "b.png": file_of(astronaut[:, ::-1], "PNG"),
        "c.tif": file_of(astronaut[::-1], "TIFF"),
        "d.webp": file_of(astronaut[::-1, ::-1], "WEBP"),
    }
    files = good | {"<b>letter.jpg": b"Dear Sir, this is no photo."}
    open_tab(tab, "Many photos")
    tab.locator("#uploads").wait_for()
    drop_many(tab, files)
    status = tab.locator("#progress [role=status]")
    expect(status).to_have_text("4 of 5 are in color.", timeout=PATIENCE)
    rows = tab.locator("#progress tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("letter.jpg")
    expect(rows).to_contain_text("not a photo")
    bar = tab.get_by_role("progressbar", name="Photos done")
    assert bar.evaluate("bar => [bar.value, bar.max]") == [5, 5]
    with tab.expect_download() as waiting:
        tab.get_by_role("button", name="Download the ZIP file").click()
    waiting.value.save_as(tmp_path / "photos.zip")
    with zipfile.ZipFile(tmp_path / "photos.zip") as archive:
        assert archive.testzip() is None
        names = ["a.color.jpg", "b.color.png", "c.color.tif", "d.color.webp"]
        assert sorted(archive.namelist()) == names
        photo = images.read(good["c.tif"])
        result = images.read(archive.read("c.color.tif"))
        assert (result.rgb == colorizer.rgb(photo.rgb)).all()
    drop_many(tab, {"a.jpg": good["a.jpg"], "e.jpg": good["a.jpg"]})  # and the next ones
    expect(status).to_have_text("2 of 2 are in color.", timeout=PATIENCE)
    open_tab(tab, "One photo")


def test_about(tab: Page) -> None:
    open_tab(tab, "About")
    about = tab.locator("#about")
    expect(about.get_by_role("heading", level=1)).to_have_text("About this page")
    words = set(re.findall(r"[a-z0-9]+", about.inner_text().lower()))
    assert not {"python", "chroma", "pix2pix", "gan", "skimage", "db"} & words
    for link in ("how it was built", "all of its code"):
        address = about.get_by_role("link", name=link).get_attribute("href") or ""
        assert address.startswith("https://github.com/pix2pixcolor/pix2pixcolor")
    open_tab(tab, "One photo")


def test_camera(tab: Page, tmp_path: Path) -> None:
    tab.reload()
    tab.get_by_role("button", name="Use the camera").click()
    tab.wait_for_function("document.querySelector('#camera-dialog video')?.videoWidth > 0")
    with colored(tab):
        tab.get_by_role("button", name="Take the photo").click()
    photo = images.read(download(tab, tmp_path))
    assert photo.format == "PNG" and photo.rgb.shape[0] > 100
    expect(tab.locator("#camera-dialog")).to_have_count(0)


def test_phone(app: App, browser: Browser, tmp_path: Path) -> None:
    with on_a_phone(app, browser, "Sample photo 1") as phone:
        words = phone.locator("#page").inner_text().lower()
        assert not {"pix2pix", "gan", "lab", "saturation"} & set(re.findall(r"[a-z0-9]+", words))
        for name in ("upload", "title"):  # what to do is in sight at once
            box = phone.locator(f"#{name}").bounding_box()
            assert box and box["y"] >= 0 and box["y"] + box["height"] <= 844
        with colored(phone):
            phone.get_by_label("Sample photo 1").tap()
        sample = sorted(SAMPLES.glob("*.jpg"))[0]
        assert download(phone, tmp_path).name == f"{sample.stem}.color.jpg"
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390
        for name in ("Many photos", "About"):
            open_tab(phone, name)
            assert phone.evaluate("document.documentElement.scrollWidth") <= 390
