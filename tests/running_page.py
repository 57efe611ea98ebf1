"""The app running as a process of its own, a browser on it, and what tests do there.

It is started as a Space starts it: a folder with app.py, the package and the samples.

PYTEST_DONT_REWRITE: test files import from here what is no fixture, before pytest does.
"""

import base64
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from places import ROOT, SAMPLES
from playwright.sync_api import Browser, Page, expect, sync_playwright

from pix2pix.colorize import Colorizer
from pix2pix.nets import build_generator
from pix2pix.weights import Header, save

CHROMIUM = "/usr/bin/chromium"
_CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
PATIENCE = 120_000  # [ms]; a photo takes about a second on an idle machine


# --- the app, running ---------------------------------------------------------------------------


@dataclass
class App:
    url: str
    weights: Path
    uploads: Path
    outside: list[bytes] = field(default_factory=list)  # what it asked of the network


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app as a process of its own, with a small random net."""
    with running_app(tmp_path_factory.mktemp("space"), tiny_weights) as found:
        yield found


@contextmanager
def running_app(space: Path, write_weights: Callable[[Path], None]) -> Iterator[App]:
    """The app in the empty folder `space`, with weights that are written to the path given."""
    for file in ("app.py", "requirements.txt", "README.md"):
        shutil.copy(ROOT / "app" / file, space)
    ignored = shutil.ignore_patterns("__pycache__", "*.safetensors")
    shutil.copytree(ROOT / "pix2pix", space / "pix2pix", ignore=ignored)
    shutil.copytree(SAMPLES, space / "resources" / "samples")
    tiny_weights(space / "pix2pix" / "pretrained" / "pix2pix.safetensors", seed=1)
    found = App(f"http://127.0.0.1:{free_port()}/", space / "tiny.safetensors", space / "cache")
    write_weights(found.weights)
    proxy = recording_proxy(found.outside)
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
        wait_for(found.url, process, log)
        yield found
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def tiny_weights(path: Path, *, seed: int = 0) -> None:
    torch.manual_seed(seed)
    config = {"net": "UNet", "width": 4, "depth": 4, "dropout": 0.5}
    generator = build_generator(config)
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, std=0.3)  # as initialised, it would color nothing
    # bright colors lose lightness in a JPEG file, whatever colored it
    save(
        path,
        generator,
        Header(generator=config, name=["tiny", "pix2pix"][seed], area=64 * 64, saturation=0.4),
    )


def recording_proxy(seen: list[bytes]) -> str:
    """A proxy that notes what it is asked for, and fetches nothing."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            connection, _ = server.accept()
            with connection:
                seen.append(connection.recv(1000))

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{server.getsockname()[1]}"


def wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(2400):
        assert process.poll() is None, log.read_text()
        if url in log.read_text():  # printed once it is served
            return
        time.sleep(0.1)
    raise TimeoutError(log.read_text())


@pytest.fixture(scope="session")
def colorizer(tmp_path_factory: pytest.TempPathFactory) -> Colorizer:
    """What the app should do, in this process: the same weights."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    tiny_weights(path)
    return Colorizer.from_pretrained(path, device="cpu")


# --- the browser ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM,
            headless=True,
            args=["--no-sandbox", "--disable-gpu", *_CAMERA],  # it would be simulated
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def tab(app: App, browser: Browser) -> Iterator[Page]:
    """The page, in one window for a file's tests; no request of it may leave this machine."""
    tab = browser.new_page(
        viewport={"width": 1280, "height": 900},
        accept_downloads=True,
        reduced_motion="reduce",  # what moves is tested where it is asked for
    )
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


@contextmanager
def on_a_phone(app: App, browser: Browser, sample: str) -> Iterator[Page]:
    """The page in a phone's browser, 390 by 844 pixels, once it has the photo named `sample`."""
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    phone = context.new_page()
    phone.set_default_timeout(PATIENCE)
    phone.goto(app.url)
    phone.get_by_label(sample).wait_for()
    yield phone
    context.close()


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


_DROP_MANY = """files => {
  const dropped = new DataTransfer();
  for (const [name, encoded] of Object.entries(files)) {
    const bytes = Uint8Array.from(atob(encoded), c => c.charCodeAt(0));
    dropped.items.add(new File([bytes], name));
  }
  const options = {dataTransfer: dropped, bubbles: true, cancelable: true};
  document.querySelector('#page').dispatchEvent(new DragEvent('drop', options));
}"""


def drop_many(tab: Page, files: dict[str, bytes]) -> None:
    """Drop files anywhere on the page, all at once."""
    encoded = {name: base64.b64encode(content).decode() for name, content in files.items()}
    tab.evaluate(_DROP_MANY, encoded)


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
    tab.wait_for_selector("#before-after img", state="attached")  # hidden while touching up
    expect(tab.locator("#download")).to_have_text("Download", timeout=PATIENCE)
    expect(tab.locator("#download")).to_be_enabled(timeout=PATIENCE)


def download(tab: Page, folder: Path) -> Path:
    with tab.expect_download() as waiting:
        tab.locator("#download").click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path
