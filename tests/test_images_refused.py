"""What is refused is called by its name, with the code that fits."""

import struct

import numpy as np
import pytest
from bad_inputs import jpegs, pictures, pngs
from bad_inputs.outcomes import outcome
from PIL import Image

from pix2pix.images import READABLE

GRAY, RGB = pictures.gray(), pictures.rgb()


def iso(brand: bytes, *others: bytes) -> bytes:
    content = brand + bytes(4) + b"".join(others)
    return struct.pack(">I4s", 8 + len(content), b"ftyp") + content + bytes(300)


def tga(pixels: np.ndarray, *, footer: bool = True) -> bytes:
    data = pictures.encoded(pixels, "TGA")
    return data if footer else data[:-26]


NAMED = {
    "JPEG-LS": lambda: jpegs.frame(32, 32, marker=0xF7),
    "JPEG XL": lambda: b"\xff\x0a\xfa\x1f" + bytes(90),
    "JPEG XR": lambda: b"II\xbc\x01" + bytes(90),
    "an Xcode-optimized PNG (CgBI)": lambda: (
        pngs.SIGNATURE + pngs.chunk(b"CgBI", b"\x50\x00\x20\x02") + pictures.encoded(RGB, "PNG")[8:]
    ),
    "a Photoshop document": lambda: b"8BPS\0\1" + bytes(90),
    "a GIMP picture": lambda: b"gimp xcf v011\0" + bytes(90),
    "a DICOM file": lambda: bytes(128) + b"DICM" + bytes(90),
    "a DICOM file, with a preamble": lambda: b"II*\1" + bytes(124) + b"DICM" + bytes(90),
    "a TGA picture": lambda: tga(RGB),
    "a TGA picture, of 1989": lambda: tga(GRAY, footer=False),
    "a PCX picture": lambda: pictures.encoded(RGB, "PCX"),
    "a Windows icon (ICO)": lambda: pictures.encoded(RGB, "ICO"),
    "an Apple icon (ICNS)": lambda: pictures.encoded(Image.new("RGBA", (32, 32)), "ICNS"),
    "a DDS texture": lambda: pictures.encoded(RGB, "DDS"),
    "an SGI picture": lambda: pictures.encoded(RGB, "SGI"),
    "a FITS file": lambda: b"SIMPLE  =                    T" + bytes(2850),
    "OpenEXR": lambda: b"\x76\x2f\x31\x01\2\0\0\0" + bytes(90),
    "a Radiance HDR picture": lambda: b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n" + bytes(90),
    "FLIF": lambda: b"FLIF41" + bytes(90),
    "BPG": lambda: b"BPG\xfb" + bytes(90),
    "QOI": lambda: b"qoif" + bytes(90),
    "DjVu": lambda: b"AT&TFORM" + bytes(90),
    "a camera raw file (CR3)": lambda: iso(b"crx ", b"crx ", b"isom"),
    "a camera raw file (RAF)": lambda: b"FUJIFILMCCD-RAW 0201" + bytes(90),
    "a camera raw file (ORF)": lambda: b"IIRO\x08\0\0\0" + bytes(90),
    "a camera raw file (RW2)": lambda: b"IIU\0\x18\0\0\0" + bytes(90),
    "a camera raw file (CRW)": lambda: b"II\x1a\0\0\0HEAPCCDR" + bytes(90),
    "a camera raw file (X3F)": lambda: b"FOVb\0\0\2\0" + bytes(90),
    "a camera raw file (MRW)": lambda: b"\0MRM" + bytes(90),
    "a video": lambda: iso(b"isom", b"isom", b"avc1"),
    "a video (QuickTime)": lambda: struct.pack(">I4s", 90, b"moov") + bytes(90),
    "a video (Matroska, WebM)": lambda: b"\x1a\x45\xdf\xa3" + bytes(90),
    "a video (AVI)": lambda: b"RIFF\x50\0\0\0AVI LIST" + bytes(90),
    "HEIF with JPEG inside": lambda: iso(b"jpeg", b"jpeg"),
    "a RAR archive": lambda: b"Rar!\x1a\x07\x01\0" + bytes(90),
    "no known picture signature": lambda: b"Dear reader, this is no photograph." * 9,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMED)
def test_the_refusal_names_the_kind(name: str):
    found = outcome(NAMED[name]())
    assert found.code == "unsupported_format", found.reason
    assert found.reason.startswith(name.partition(", ")[0].rstrip(")")), found.reason


def test_random_bytes_and_text_are_no_pictures_of_old_formats(capsys):
    """Formats without a signature are guessed from their header, rarely by mistake."""
    generator, named = np.random.default_rng(0), 0
    for _ in range(2000):
        data = generator.integers(0, 256, 600, dtype=np.uint8).tobytes()
        found = outcome(data)
        assert found.code in ("unsupported_format", "corrupt", "truncated", "unreadable")
        named += "TGA" in found.reason or "PCX" in found.reason
    with capsys.disabled():
        print(f"\nrandom bytes taken for TGA or PCX: {named} of 2,000")
    assert named <= 2


def test_the_list_of_what_is_read_is_in_the_reason():
    assert ", ".join(READABLE) in outcome(b"qoif" + bytes(90)).reason
