"""The page in a real browser: photos dropped into the running app, results held to Colorizer.

The app is started as a Space starts it: a folder with app.py, the package and the samples.
"""

import base64
import io
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import tomllib
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import ExifTags, Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from skimage import data

from pix2pix import errors, images, page
from pix2pix.color import rgb_to_lab
from pix2pix.colorize import Colorizer
from pix2pix.recipes import build_generator
from pix2pix.weights import Header, save

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = "/usr/bin/chromium"
PATIENCE = 120_000  # [ms]; a photo takes about a second on an idle machine


# --- the app, running ---------------------------------------------------------------------------


@dataclass
class App:
    url: str
    weights: Path
    uploads: Path
    outside: list[bytes] = field(default_factory=list)  # what it asked of the network


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app as a process of its own, with a small random net."""
    space = tmp_path_factory.mktemp("space")
    for file in ("app.py", "requirements.txt", "README.md"):
        shutil.copy(ROOT / "app" / file, space)
    ignored = shutil.ignore_patterns("__pycache__", "*.safetensors")
    shutil.copytree(ROOT / "pix2pix", space / "pix2pix", ignore=ignored)
    shutil.copytree(ROOT / "resources" / "samples", space / "resources" / "samples")
    found = App(f"http://127.0.0.1:{_free_port()}/", space / "tiny.safetensors", space / "cache")
    _tiny_weights(found.weights)
    proxy = _recording_proxy(found.outside)
    environment = os.environ | {
        "GRADIO_SERVER_PORT": re.findall(r":(\d+)/", found.url)[0],
        "GRADIO_TEMP_DIR": str(found.uploads),
        "HTTP_PROXY": proxy,
        "HTTPS_PROXY": proxy,
        "NO_PROXY": "127.0.0.1,localhost",
    }
    for quiet in ("HF_HUB_OFFLINE", "GRADIO_ANALYTICS_ENABLED", "PYTHONPATH"):
        environment.pop(quiet, None)
    log = space / "log.txt"
    with log.open("w") as out:
        command = [sys.executable, "app.py", str(found.weights)]
        process = subprocess.Popen(command, cwd=space, env=environment, stdout=out, stderr=out)
    try:
        _wait_for(found.url, process, log)
        yield found
    finally:
        process.terminate()
        process.wait(30)


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _tiny_weights(path: Path) -> None:
    torch.manual_seed(0)
    config = {"net": "UNet", "width": 4, "depth": 4}
    generator = build_generator(config)
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, std=0.3)  # as initialised, it would color nothing
    # bright colors lose lightness in a JPEG file, whatever colored it
    save(path, generator, Header(generator=config, name="tiny", area=64 * 64, saturation=0.4))


def _recording_proxy(seen: list[bytes]) -> str:
    """A proxy that notes what it is asked for, and fetches nothing."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            connection, _ = server.accept()
            with connection:
                seen.append(connection.recv(1000))

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{server.getsockname()[1]}"


def _wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(2400):
        assert process.poll() is None, log.read_text()
        if url in log.read_text():  # printed once it is served
            return
        time.sleep(0.1)
    raise TimeoutError(log.read_text())


@pytest.fixture(scope="module")
def colorizer(tmp_path_factory: pytest.TempPathFactory) -> Colorizer:
    """What the app should do, in this process: the same weights."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    _tiny_weights(path)
    return Colorizer.from_pretrained(path, device="cpu")


# --- the browser ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=["--no-sandbox"]
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def tab(app: App, browser: Browser) -> Iterator[Page]:
    """The page, in one window for all tests; no request of it may leave this machine."""
    tab = browser.new_page(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    tab.set_default_timeout(PATIENCE)
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(app.url)
    tab.get_by_label("Sample photo 2").wait_for()
    yield tab
    tab.close()
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith((app.url, "data:", "blob:"))] == []
    assert app.outside == []


_DROP = """([event, holder, encoded, name]) => {
  const bytes = Uint8Array.from(atob(encoded), c => c.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], name));
  const options = {[holder]: files, bubbles: true, cancelable: true};
  const kind = event === 'drop' ? DragEvent : ClipboardEvent;
  document.querySelector('#title').dispatchEvent(new kind(event, options));
}"""


def drop(tab: Page, content: bytes, name: str, *, paste: bool = False) -> None:
    """Drop a file anywhere on the page, or paste it."""
    event = ["paste", "clipboardData"] if paste else ["drop", "dataTransfer"]
    tab.evaluate(_DROP, [*event, base64.b64encode(content).decode(), name])


def shown(tab: Page) -> list[str]:
    """The addresses of the pictures on the page: none, or before and after."""
    return [i.get_attribute("src") or "" for i in tab.locator("#before-after img").all()]


@contextmanager
def colored(tab: Page) -> Iterator[None]:
    """What is done within puts another picture on the page; wait for it and its download."""
    old = shown(tab)
    yield
    if old:
        after = tab.locator("#before-after img").last
        expect(after).not_to_have_attribute("src", old[-1], timeout=PATIENCE)
    tab.wait_for_selector("#before-after img")
    expect(tab.locator("#download")).to_have_text("Download", timeout=PATIENCE)
    expect(tab.locator("#download")).to_be_enabled(timeout=PATIENCE)


def download(tab: Page, folder: Path) -> Path:
    with tab.expect_download() as waiting:
        tab.locator("#download").click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


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
    """Rgb (H,W,3) uint8 -> L* (H,W)."""
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

    uploaded = [file for file in app.uploads.rglob("*") if file.is_file()]
    assert content in [file.read_bytes() for file in uploaded]
    assert all(file.stat().st_size for file in uploaded)  # no litter


@pytest.mark.browser
def test_pasted_photo_and_sample(tab: Page, tmp_path: Path) -> None:
    with colored(tab):
        drop(tab, a_photo("PNG"), "image.png", paste=True)
    assert download(tab, tmp_path).name == "image.color.png"
    samples = sorted((ROOT / "resources" / "samples").glob("*.jpg"))
    assert tab.locator("#samples button").count() == len(samples) > 3
    with colored(tab):
        tab.get_by_label("Sample photo 2").click()
    assert download(tab, tmp_path).name == f"{samples[1].stem}.color.jpg"


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
def test_color_strength(colorizer: Colorizer, tab: Page, tmp_path: Path) -> None:
    content = a_photo("PNG")
    with colored(tab):
        drop(tab, content, "scan.png")
    control = tab.locator("#saturation input[type=range]")
    for key, saturation in (("Home", 0), ("End", 2)):
        with colored(tab):
            control.press(key)
        rgb = images.read(download(tab, tmp_path)).rgb
        expected = colorizer.rgb(images.read(content).rgb, saturation=saturation)
        assert np.abs(rgb.astype(int) - expected).max() <= 2
        assert (np.ptp(rgb, axis=2).max() == 0) == (saturation == 0)
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
        expect(tab.locator("#upload")).not_to_contain_text("bad.jpg", timeout=PATIENCE)
        assert shown(tab) == before
        expect(tab.locator("#page .error:visible")).to_have_count(0)  # nothing covers it
    with colored(tab):  # and the page takes the next one
        drop(tab, a_photo("PNG"), "next.png")


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


# --- without a browser ----------------------------------------------------------------------------


def test_every_error_has_a_message() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.PhotoError)
    ]
    assert {kind.code for kind in kinds} - {"error"} == set(page.MESSAGES)


def test_upload_fetches_no_address() -> None:
    upload = page._upload()
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
    assert page._download_name(name, photo) == expected


def test_download_that_fails_is_not_offered(colorizer: Colorizer, tmp_path: Path) -> None:
    handlers = page._Handlers(colorizer, 10**6, str(tmp_path / "cache"))
    photo = tmp_path / "scan.png"
    photo.write_bytes(a_photo("PNG"))
    steps = handlers.open(str(photo), 1.0)
    assert next(steps)[-1]["interactive"] is False
    photo.unlink()
    assert next(steps)[-1] == gr.update(label="Download", interactive=False)
    with pytest.raises(gr.Error, match="could not be opened"):
        next(steps)


def test_missing_gradio_names_the_extra() -> None:
    code = "import sys; sys.modules['gradio'] = None; import pix2pix.page"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "pix2pix-color[demo]" in done.stderr


def test_page_without_samples(tmp_path: Path, colorizer: Colorizer) -> None:
    built = page.build_page(colorizer, samples=tmp_path / "none")
    assert not any(isinstance(block, gr.Dataset) for block in built.blocks.values())


def test_space_needs_what_the_package_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "app" / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == project["dependencies"]
    card = (ROOT / "app" / "README.md").read_text()
    pins = (ROOT / "requirements.txt").read_text()
    assert f"gradio=={re.findall(r'sdk_version: (.+)', card)[0]}\n" in pins


def test_samples_are_small_gray_and_credited() -> None:
    folder = ROOT / "resources" / "samples"
    credits = (folder / "README.md").read_text()
    for path in folder.glob("*.jpg"):
        assert f"[{path.name}]" in credits
        assert path.stat().st_size < 200_000
        with Image.open(path) as image:
            assert image.mode == "L" and max(image.size) <= 1000
