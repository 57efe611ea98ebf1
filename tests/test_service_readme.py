"""The README's lines about the service, run as they stand against one."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import warm
from PIL import Image
from places import ROOT
from serving import Service, photo, running

README = (ROOT / "README.md").read_text()
SECTION = README.split("## Run it as a service")[1].split("\n## ")[0]
ADDRESS = "http://127.0.0.1:7860"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("service")) as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "old.jpg").write_bytes(photo())
    return tmp_path


def snippet(language: str, service: Service) -> str:
    (code,) = re.findall(rf"```{language}\n(.*?)```", SECTION, re.DOTALL)
    assert ADDRESS in code
    return code.replace(ADDRESS, f"http://127.0.0.1:{service.port}")


def test_curl(service: Service, folder: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    line = next(x for x in snippet("sh", service).splitlines() if x.startswith("curl"))
    subprocess.run(["sh", "-c", line], cwd=folder, check=True, capture_output=True)
    with Image.open(folder / "new.jpg") as image:
        assert (image.format, image.size, image.mode) == ("JPEG", (96, 64), "RGB")
    (folder / "old.jpg").write_text("no photo")
    assert subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True).returncode


@pytest.mark.slow
def test_python(service: Service, folder: Path) -> None:
    code = snippet("python3", service)
    subprocess.run([warm.python(), "-c", code], cwd=folder, check=True)
    with Image.open(folder / "new.png") as image:
        assert (image.format, image.size) == ("PNG", (96, 64))


@pytest.mark.slow
def test_the_command_serves_at_its_address_until_it_is_told_to_stop(folder: Path) -> None:
    line = next(x for x in SECTION.splitlines() if x.startswith("pix2pix serve"))
    command = [warm.pix2pix(), *line.split("#")[0].split()[1:]]
    quick = ["--port", "0", "--no-page", "--weights", "pix2pix", "--device", "cpu"]
    process = subprocess.Popen(
        [*command, *quick], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    start = time.monotonic()
    assert process.stdout is not None
    assert re.match(r"Serving http://127\.0\.0\.1:\d+/ ", process.stdout.readline())
    process.terminate()
    process.wait(30)
    assert time.monotonic() - start < 120


def test_what_it_says_of_the_limits() -> None:
    from pix2pix.app.service.server import Limits

    limits = Limits()
    assert f"{limits.waiting} more wait" in SECTION
    assert f"{limits.max_bytes // 10**6} MB, {limits.max_pixels // 10**6} megapixels" in SECTION
    words = " ".join(SECTION.split())
    assert f"{limits.process:g} s to color" in words and "15 s to arrive" in words
    assert 14 <= limits.receive < 15
