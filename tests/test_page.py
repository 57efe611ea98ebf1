"""The page in a real browser: photos dropped into the running app, results held to Colorizer.

The app itself and the browser are in running_page.py.
"""

import io
import re
import struct
import subprocess
import sys
import urllib.error
import urllib.request
import zlib
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch
from gradio.route_utils import delete_files_created_by_app
from PIL import ExifTags, Image
from places import ROOT, SAMPLES
from playwright.sync_api import Browser, Page, expect
from running_page import PATIENCE, App, colored, download, drop, shown
from skimage import data

from pix2pix import errors, images
from pix2pix.app import page
from pix2pix.app.page.coloring import Coloring
from pix2pix.app.page.handlers import Handlers
from pix2pix.app.page.script import REFUSALS
from pix2pix.app.page.upload import make_upload
from pix2pix.app.page.words import BUSY, MESSAGES
from pix2pix.color import rgb_to_lab
from pix2pix.colorize import Colorizer
from pix2pix.colorize.copies import PhotoCopy
from pix2pix.images.task import COLOR

pytest_plugins = ["running_page"]

# --- photos ---------------------------------------------------------------------------------------


def a_photo(format: str) -> bytes:
    """A gray astronaut, 300 x 512, as a phone would save it: turned, dated, located."""
    image = Image.fromarray(data.astronaut()[:, :300]).convert("L")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # shown turned by 90 degrees: 512 x 300
    exif[ExifTags.Base.DateTime] = "1992:02:03 04:05:06"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    file = io.BytesIO()
    image.save(file, format, exif=exif, **({"quality": 95} if format == "JPEG" else {}))
    return file.getvalue()


def png_of_a_side(side: int) -> bytes:
    """The first bytes of a PNG file that says it is side x side."""
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = b"IDAT" + bytes(100)
    chunks = [
        struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        for body in (header, data)
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def lightness(rgb: np.ndarray) -> np.ndarray:
    """Rgb (H, W, 3) uint8 -> L* (H, W)."""
    return rgb_to_lab(torch.from_numpy(rgb.copy()).permute(2, 0, 1) / 255)[0].numpy()


# --- in the browser -------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.parametrize(
    ("format", "name", "limit"), [("JPEG", "Gran's photo.JPG", 3), ("PNG", "scan.png", 1)]
)
def test_dropped_photo_comes_back_in_color(
    app: App, colorizer: Colorizer, tab: Page, tmp_path: Path, format: str, name: str, limit: float
) -> None:
    content = a_photo(format)
    with colored(tab):
        drop(tab, content, name)
    path = download(tab, tmp_path)
    assert re.fullmatch(r"Gran'?s photo\.color\.JPG|scan\.color\.png", path.name)

    photo = images.read(content)
    with Image.open(path) as result:
        assert (result.format, result.size) == (format, (512, 300))
        exif = result.getexif()
        assert exif[ExifTags.Base.DateTime] == "1992:02:03 04:05:06"
        assert exif.get(ExifTags.Base.Orientation, 1) == 1
        assert not exif.get_ifd(ExifTags.IFD.GPSInfo)
        assert b"tiny" in result.info["xmp"]
        rgb = np.asarray(result.convert("RGB"))
    kept = np.abs(lightness(rgb) - lightness(photo.rgb)) <= limit
    assert kept.mean() >= 0.999

    # at its full size, the very picture that Colorizer makes
    expected = colorizer.rgb(photo.rgb)
    assert np.ptp(expected.astype(int), axis=2).mean() > 10  # and that is no gray one
    file = images.encode(expected, like=photo, model="tiny")
    difference = np.abs(rgb.astype(int) - images.read(file).rgb)
    assert difference.max() <= 2

    uploaded = [
        file for file in app.uploads.rglob("*") if file.is_file() and ".lock" not in file.name
    ]
    assert content in [file.read_bytes() for file in uploaded]
    assert all(file.stat().st_size for file in uploaded)  # no litter


@pytest.mark.browser
def test_pasted_photo_and_sample(tab: Page, tmp_path: Path) -> None:
    tab.reload()
    samples = sorted(SAMPLES.glob("*.jpg"))
    expect(tab.locator("#samples button")).to_have_count(len(samples))
    with colored(tab):
        tab.get_by_label("Sample photo 2").click()
    assert download(tab, tmp_path).name == f"{samples[1].stem}.color.jpg"
    expect(tab.locator("#samples")).to_be_hidden()  # what comes next is in sight instead
    with colored(tab):
        drop(tab, a_photo("PNG"), "image.png", paste=True)
    assert download(tab, tmp_path).name == "image.color.png"


@pytest.mark.browser
def test_next_photo_need_not_wait_for_the_download(tab: Page, tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(data.camera()).resize((3000, 3000)).save(file, "PNG")
    old = shown(tab)
    drop(tab, file.getvalue(), "first.png")
    tab.wait_for_function(
        """old => {
          const shown = [...document.querySelectorAll('#before-after img')];
          return shown.some(image => !old.includes(image.src));
        }""",
        arg=old,
    )
    expect(tab.locator("#download")).not_to_have_text("Download")
    with colored(tab):
        drop(tab, a_photo("PNG"), "second.png")
    assert download(tab, tmp_path).name == "second.color.png"


@pytest.mark.browser
def test_color_strength_and_warmth(colorizer: Colorizer, tab: Page, tmp_path: Path) -> None:
    content = a_photo("PNG")
    with colored(tab):
        drop(tab, content, "scan.png")
    wish = {"saturation": 1.0, "temperature": 0.0}
    for name, key, value in (
        ("saturation", "Home", 0),
        ("saturation", "End", 2),
        ("temperature", "Home", -30),
    ):
        wish[name] = value
        with colored(tab):
            tab.locator(f"#{name} input[type=range]").press(key)
        rgb = images.read(download(tab, tmp_path)).rgb
        expected = colorizer.rgb(images.read(content).rgb, **wish)
        assert np.abs(rgb.astype(int) - expected).max() <= 2
        assert (np.ptp(rgb, axis=2).max() == 0) == (wish["saturation"] == 0)
    number = tab.locator("#saturation input[type=number]")
    number.fill("1")
    with colored(tab):
        number.press("Enter")


@pytest.mark.browser
def test_bad_files_show_their_message_and_keep_the_photo(tab: Page) -> None:
    bad = {
        "unsupported_format": b"Dear Sir, this is a letter.",
        "truncated": a_photo("JPEG")[:5000],
        "unreadable": b"\xff\xd8\xff",
        "too_large": png_of_a_side(50_000),
    }
    with colored(tab):
        drop(tab, a_photo("JPEG"), "good.jpg")
    before = shown(tab)
    for code, content in bad.items():
        drop(tab, content, "bad.jpg")
        toast = tab.get_by_test_id("toast-body").filter(has_text=page.MESSAGES[code])
        expect(toast).to_be_visible(timeout=PATIENCE)
        title = "Not a photo" if code == "unsupported_format" else "Sorry"
        expect(toast).to_contain_text(title)
        below, above = toast.bounding_box(), tab.locator("#title").bounding_box()
        assert below and above and below["y"] > above["y"] + above["height"] + 200
        expect(tab.locator("#upload")).not_to_contain_text("bad.jpg", timeout=PATIENCE)
        assert shown(tab) == before
        expect(tab.locator("#page .error:visible")).to_have_count(0)  # nothing covers it
    with colored(tab):  # and the page takes the next one
        drop(tab, a_photo("PNG"), "next.png")


@pytest.mark.browser
def test_a_busy_server_asks_for_a_moment(tab: Page) -> None:
    tab.reload()
    tab.get_by_label("Sample photo 2").wait_for()
    busy = {"status": 429, "body": '{"code": "busy"}'}
    tab.route("**/gradio_api/upload*", lambda route: route.fulfill(**busy))
    drop(tab, a_photo("PNG"), "a.png")
    toast = tab.get_by_test_id("toast-body").filter(has_text=BUSY)
    expect(toast).to_contain_text("One moment", timeout=PATIENCE)
    box = toast.bounding_box()
    assert box and box["width"] < 500  # the samples stay in sight
    tab.unroute("**/gradio_api/upload*")


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
@pytest.mark.parametrize("size", [(600, 400), (300, 900)], ids=["landscape", "portrait"])
def test_whole_photo_is_shown_in_its_own_aspect(
    tab: Page, size: tuple[int, int], width: int
) -> None:
    tab.set_viewport_size({"width": width, "height": 900})
    file = io.BytesIO()
    Image.effect_noise(size, 50).save(file, "PNG")
    with colored(tab):
        drop(tab, file.getvalue(), "noise.png")
    frame = tab.locator("#before-after").bounding_box()
    assert frame and frame["y"] + frame["height"] <= 900  # comparing needs no scrolling
    for picture in tab.locator("#before-after img").all():
        picture.evaluate("image => image.decode()")
        natural = picture.evaluate("image => [image.naturalWidth, image.naturalHeight]")
        assert tuple(natural) == size
        assert picture.evaluate("image => getComputedStyle(image).objectFit") == "contain"
        box = picture.bounding_box()  # and what is outside the frame would be cut
        assert box and frame["x"] <= box["x"] and frame["y"] <= box["y"]
        assert box["x"] + box["width"] <= frame["x"] + frame["width"]
        assert box["y"] + box["height"] <= frame["y"] + frame["height"]
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_upload_over_the_limit_is_refused(app: App) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'
    request = urllib.request.Request(
        app.url + "gradio_api/upload",
        head + bytes(51 * 2**20) + b"\r\n--x--\r\n",
        {"Content-Type": "multipart/form-data; boundary=x"},
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request)
    assert caught.value.code == 413


REFUSED = [
    (429, '{"code": "busy"}', BUSY),
    (413, '{"code": "too_large"}', MESSAGES["too_large"]),
    (413, "<html>a proxy's</html>", MESSAGES["too_large"]),
    (
        507,
        '{"code": "no_space"}',
        "There is no room for more photos right now. Try again in an hour.",
    ),
    (408, '{"code": "timeout"}', "The photo took too long to arrive. Try again."),
    (502, "<html>a proxy's</html>", "The photo could not be sent. Try again."),
]


@pytest.mark.browser
def test_every_refused_upload_is_a_sentence(browser: Browser) -> None:
    answer = {"status": 200, "body": f"<head>{REFUSALS}</head>", "content_type": "text/html"}
    tab = browser.new_page()
    tab.route("**/*", lambda route: route.fulfill(**answer))
    tab.goto("http://localhost/photos/")
    send = "fetch('/photos/gradio_api/upload', {method: 'POST'}).then(a => a.json())"
    for status, body, words in REFUSED:
        answer |= {"status": status, "body": body}
        assert tab.evaluate(f"{send}.catch(error => error.message)") == words
    answer |= {"status": 200, "body": "[7]"}
    assert tab.evaluate(send) == [7]
    tab.close()


# --- without a browser ----------------------------------------------------------------------------


def test_every_error_has_a_message() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.PhotoError)
    ]
    assert {kind.code for kind in kinds} - {"error"} == set(page.MESSAGES)


def test_upload_fetches_no_address() -> None:
    upload = make_upload("upload", page.new_shelf(), label="Photo")
    with pytest.raises(gr.Error):
        upload.async_move_resource_to_block_cache("http://127.0.0.1:9/a.jpg").send(None)


@pytest.mark.parametrize(
    ("name", "format", "expected"),
    [
        ("scan.tif", "TIFF", "scan.color.tif"),
        ("a.b.JPEG", "JPEG", "a.b.color.JPEG"),
        ("a.gif", "GIF", "a.gif.color.png"),
        ("wrong.png", "JPEG", "wrong.png.color.jpg"),
        ("clipboard", "PNG", "clipboard.color.png"),
    ],
)
def test_download_name(name: str, format: str, expected: str) -> None:
    photo = images.Photo(rgb=np.zeros((1, 1, 3), np.uint8), alpha=None, format=format)
    assert PhotoCopy(photo, "tiny", COLOR).file_name(Path("sent", name)) == expected


def test_download_that_fails_is_not_offered(colorizer: Colorizer, tmp_path: Path) -> None:
    handlers = Handlers(Coloring(colorizer, tmp_path / "cache", 10**6))
    photo = tmp_path / "scan.png"
    photo.write_bytes(a_photo("PNG"))
    *_, (opened, *_, ready) = handlers.open(str(photo), None, 1.0)
    assert ready["interactive"] is True
    photo.unlink()
    steps = handlers.color(opened, None, None, 0.5)
    assert next(steps)[-1]["interactive"] is False
    assert next(steps)[-1] == gr.update(label="Download", interactive=False)
    with pytest.raises(gr.Error, match="could not be opened"):
        next(steps)


@pytest.mark.slow
def test_a_slower_answer_ends_by_saying_nothing(colorizer: Colorizer, tmp_path: Path) -> None:
    handlers = Handlers(Coloring(colorizer, tmp_path / "cache", 10**6))
    photo = tmp_path / "scan.png"
    photo.write_bytes(a_photo("PNG"))
    slow = handlers.open(str(photo), None, 1.0)
    opened, *_, pair, _ = next(slow)
    assert len(pair["value"]) == 2
    *_, (second, *_) = handlers.open(str(photo), opened, 1.0)  # the next photo came meanwhile
    assert list(slow)[-1] == (gr.skip(),) * 12
    slow = handlers.color(second, None, None, 0.5)
    next(slow)
    list(handlers.color(second, None, None, 0.7))
    assert list(slow)[-1] == (gr.skip(), gr.skip())


@pytest.mark.slow
def test_missing_gradio_names_the_extra() -> None:
    code = "import sys; sys.modules['gradio'] = None; import pix2pix.app.page"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "pix2pix-color[app]" in done.stderr


def test_page_without_samples(tmp_path: Path, colorizer: Colorizer) -> None:
    built = page.build_page(colorizer, samples=tmp_path / "none")
    assert not any(isinstance(block, gr.Dataset) for block in built.blocks.values())


def test_samples_are_small_gray_and_credited() -> None:
    folder = SAMPLES
    credits = (folder / "README.md").read_text()
    for path in folder.glob("*.jpg"):
        assert f"[{path.name}]" in credits
        assert path.stat().st_size < 200_000
        with Image.open(path) as image:
            assert image.mode == "L" and max(image.size) <= 1000


def test_files_go_after_an_hour(colorizer: Colorizer, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    built = page.build_page(colorizer)
    every, age = built.delete_cache
    assert every + age <= 4500
    handlers = next(f.fn.__self__ for f in built.fns.values() if f.name == "open")
    photo = tmp_path / "scan.png"
    photo.write_bytes(a_photo("PNG"))
    own = set((tmp_path / "cache").rglob("*.*"))  # the samples
    *_, (opened, *_) = handlers.open(str(photo), None, 1.0)
    made = set((tmp_path / "cache").rglob("*.*")) - own
    assert len(made) == 3 and Path(opened.before) in made
    delete_files_created_by_app(built, age)
    assert all(path.exists() for path in made)
    delete_files_created_by_app(built, 0)
    assert not any(path.exists() for path in made)
