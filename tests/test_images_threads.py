"""Threads: a picture that takes its time holds up no other, and Pillow stays as its host set it."""

import io
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from bad_inputs import pictures
from bad_inputs.outcomes import outcome
from PIL import Image, ImageFile, PngImagePlugin, TiffImagePlugin

from pix2pix.images import guard, read

GRAY = pictures.gray()
PNG = pictures.encoded(GRAY, "PNG")
EXIF = Image.Exif()
EXIF[270] = "a caption"
OTHERS = {
    "JPEG": pictures.encoded(GRAY, "JPEG", exif=EXIF),
    "PNG": PNG,
    "TIFF": pictures.encoded(GRAY, "TIFF", compression="tiff_lzw"),
    "GIF": pictures.encoded(GRAY, "GIF"),
    "WEBP": pictures.encoded(GRAY, "WEBP"),
}
PATIENCE = 10  # seconds after which a thread counts as stuck


@contextmanager
def _slow(monkeypatch: pytest.MonkeyPatch, step: str, **options: bool) -> Iterator[None]:
    """While it holds, a thread reads a PNG and stands still in one step of Pillow's."""
    plugin: Any = PngImagePlugin.PngImageFile
    original = getattr(plugin, step)
    there, go_on = threading.Event(), threading.Event()

    def wait(image: Any, *arguments: Any) -> Any:
        if threading.current_thread() is thread:
            there.set()
            go_on.wait(PATIENCE)
        return original(image, *arguments)

    thread = threading.Thread(target=lambda: read(PNG[:-30] if options else PNG, **options))
    with monkeypatch.context() as patch:
        patch.setattr(plugin, step, wait)
        thread.start()
        assert there.wait(PATIENCE)
        try:
            yield
        finally:
            go_on.set()
            thread.join(PATIENCE)
    assert not thread.is_alive()


STEPS = {
    "opening": ("_open", {}),
    "decoding": ("load", {}),
    "reading EXIF": ("getexif", {}),
    "decoding what there is": ("load", {"allow_truncated": True}),
}


@pytest.mark.parametrize("name", STEPS)
def test_others_are_read_while_one_takes_its_time(name: str, monkeypatch):
    step, options = STEPS[name]
    codes: dict[str, str] = {}
    times: dict[str, float] = {}

    def read_others() -> None:
        for other, data in OTHERS.items():
            start = time.perf_counter()
            codes[other] = outcome(data).code
            codes[f"truncated {other}"] = outcome(data[: len(data) * 2 // 3]).code
            times[other] = time.perf_counter() - start

    with _slow(monkeypatch, step, **options):
        reader = threading.Thread(target=read_others, daemon=True)
        reader.start()
        reader.join(PATIENCE)
        assert not reader.is_alive(), "held up by a picture of another thread"
    print(f"{name}: {len(times)} others, the slowest {1000 * max(times.values()):.0f} ms")
    assert [codes[other] for other in OTHERS] == ["OK"] * len(OTHERS)
    # a reader of truncated files makes no other lenient
    assert [codes[f"truncated {other}"] for other in OTHERS] == ["truncated"] * len(OTHERS)


@pytest.mark.parametrize("name", STEPS)
def test_pillow_stays_as_its_host_set_it(name: str, monkeypatch):
    step, options = STEPS[name]
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", GRAY.size // 4)
    before = list(warnings.filters)
    with _slow(monkeypatch, step, **options):
        assert Image.MAX_IMAGE_PIXELS == GRAY.size // 4
        assert not ImageFile.LOAD_TRUNCATED_IMAGES
        assert list(warnings.filters) == before
        with pytest.raises(Image.DecompressionBombError):
            Image._decompression_bomb_check((GRAY.shape[1], GRAY.shape[0]))
        with pytest.warns(UserWarning, match="Corrupt EXIF data"):
            TiffImagePlugin.ImageFileDirectory_v2(b"II*\0\x08\0\0\0").load(_Empty())


class _Empty:
    """A file without bytes."""

    def read(self, size: int = -1) -> bytes:
        return b""

    def tell(self) -> int:
        return 0

    def seek(self, *place: int) -> int:
        return 0


def test_pillows_own_limit_is_not_asked(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for data in OTHERS.values():
        assert read(data).rgb.shape[:2] == GRAY.shape
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(PNG))


@pytest.mark.filterwarnings("error")
def test_a_reader_within_a_reader_hears_its_own():
    with guard.reading(10) as outer:
        with guard.reading(20) as inner:
            TiffImagePlugin.warnings.warn("within")
        TiffImagePlugin.warnings.warn("around")
    assert (inner, outer) == (["within"], ["around"])
    with pytest.raises(UserWarning, match="for all"):
        TiffImagePlugin.warnings.warn("for all")
