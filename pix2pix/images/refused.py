"""Names of other file types, so that the refusal says what the file is.

Source: the file(1) magic database; the formats' own specifications.
"""

_SIGNATURES: tuple[tuple[bytes | tuple[bytes, ...], str], ...] = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    ((b"\x7fELF", b"MZ"), "a program"),
    ((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), "a Python pickle"),
    ((b"\x00\x00\x00\x0cJXL ", b"\xff\x0a"), "JPEG XL"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"8BPS", "a Photoshop document"),
    (b"gimp xcf", "a GIMP picture"),
    (b"icns", "an Apple icon (ICNS)"),
    (b"FUJIFILMCCD-RAW", "a camera raw file (RAF)"),
    ((b"IIRO", b"IIRS", b"MMOR"), "a camera raw file (ORF)"),
    (b"IIU\x00", "a camera raw file (RW2)"),
    (b"II\x1a\x00\x00\x00HEAPCCDR", "a camera raw file (CRW)"),
    (b"FOVb", "a camera raw file (X3F)"),
    (b"\x00MRM", "a camera raw file (MRW)"),
    (b"FLIF", "FLIF"),
    (b"BPG\xfb", "BPG"),
    (b"qoif", "QOI"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    ((b"#?RADIANCE", b"#?RGBE"), "a Radiance HDR picture"),
    (b"DDS ", "a DDS texture"),
    (b"SIMPLE  =", "a FITS file"),
    (b"AT&TFORM", "DjVu"),
    (b"\x8aMNG\r\n", "MNG"),
    (b"\x8bJNG\r\n", "JNG"),
    (b"\x59\xa6\x6a\x95", "a Sun raster picture"),
    ((b"\x01\xda\x00", b"\x01\xda\x01"), "an SGI picture"),
    (b"\xd7\xcd\xc6\x9a", "a Windows metafile"),
    (b"\x1a\x45\xdf\xa3", "a video (Matroska, WebM)"),
    (b"OggS", "an Ogg recording"),
    (b"\x00\x00\x01\xba", "a video (MPEG)"),
    (b"ID3", "a sound recording"),
)
_TGA_KINDS = {1, 2, 3, 9, 10, 11}
_TGA_DEPTHS = {8, 15, 16, 24, 32}


def guess(data: bytes) -> str:
    """Name the kind of a file that is in none of the readable formats."""
    for magic, name in _SIGNATURES:
        if data.startswith(magic):
            return name
    if data[128:132] == b"DICM":
        return "a DICOM file"
    if data.startswith(b"RIFF"):
        return {b"AVI ": "a video (AVI)", b"WAVE": "a sound recording"}.get(
            data[8:12], "a RIFF file"
        )
    if data[4:8] in (b"moov", b"mdat", b"wide"):
        return "a video (QuickTime)"
    start = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "an HTML page"
    if b"<svg" in start or start.startswith(b"<?xml"):
        return "SVG or other XML"
    return _without_signature(data)


def iso_kind(brand: bytes) -> str:
    """Name the kind of an ISO base media file, other than AVIF and HEIF, by its major brand."""
    if brand == b"crx ":
        return "a camera raw file (CR3)"
    if brand in (b"avci", b"avcs"):
        return "HEIF with AVC inside"
    if brand in (b"jpeg", b"jpgs"):
        return "HEIF with JPEG inside"
    return "a video or another ISO file"


def _without_signature(data: bytes) -> str:
    """Formats without a magic number, recognized by a plausible header."""
    icon = {b"\0\0\1\0": "a Windows icon (ICO)", b"\0\0\2\0": "a Windows cursor (CUR)"}
    if data[:4] in icon and any(data[4:6]):  # TGA can begin so, too, and then has zeros there
        return icon[data[:4]]
    if data[-18:] == b"TRUEVISION-XFILE.\x00":
        return "a TGA picture"
    if len(data) >= 128 and data[0] == 10 and data[1] in (0, 2, 3, 4, 5) and data[2] == 1:
        if data[3] in (1, 2, 4, 8):
            return "a PCX picture"
    if len(data) >= 18 and data[1] in (0, 1) and data[2] in _TGA_KINDS:
        mapped = data[1] == 1
        if data[16] in _TGA_DEPTHS and mapped == (data[2] in (1, 9)) and any(data[12:16]):
            if data[17] & 0xC0 == 0 and (mapped or not any(data[3:8])):
                return "a TGA picture"
    return "no known picture signature"
