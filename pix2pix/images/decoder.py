"""Decoding by Pillow: one format at a time, silent, with typed errors only.

Pillow raises a dozen kinds of exceptions on bad files; they end here. Nothing here waits for
another thread: see guard.py.
"""

import io
import logging

from PIL import Image, ImageFile

from pix2pix.errors import (
    Corrupt,
    PhotoError,
    TooLarge,
    Truncated,
    UnsupportedFormat,
    UnsupportedMode,
    one_line,
)
from pix2pix.images import guard, jpeg, memory, png
from pix2pix.images.formats import Container
from pix2pix.images.guard import check_pixels
from pix2pix.images.metadata import reader
from pix2pix.images.tiff import extract, layout, samples

# Without a handler anywhere, Pillow's log of broken files would go to stderr.
logging.getLogger("PIL").addHandler(logging.NullHandler())
ENDS_EARLY = "the file ends early: the rest of the picture is missing"
_DAMAGED_EXIF = "EXIF damaged: some of it ignored"
_END_OF_JPEG = b"\xff\xd9"
_UNSUPPORTED = ("unknown pixel mode", "cannot handle", "unsupported", "unknown data organization")


def decode(
    data: bytes, name: str, container: Container, *, max_pixels: int, warnings: list[str]
) -> ImageFile.ImageFile:
    """Decode the first frame of a file of format `name`.

    Raises TooLarge before any pixel is decoded, Truncated, Corrupt, UnsupportedFormat and
    UnsupportedMode.
    """
    try:
        return _decode(data, name, container, max_pixels, warnings)
    except PhotoError:
        raise
    except Exception as error:
        typed = _typed(error, data, name, container)
        if name != "PNG" or not isinstance(typed, Corrupt):
            raise typed from error
    # A text or profile chunk may be at fault, not the picture.
    try:
        image = _decode(png.essential(data), name, container, max_pixels, warnings)
    except PhotoError:
        raise
    except Exception:
        raise typed from None
    warnings.append(f"PNG text, profile and animation ignored: {typed.reason}")
    return image


def decode_truncated(
    data: bytes, name: str, container: Container, *, max_pixels: int, warnings: list[str]
) -> ImageFile.ImageFile:
    """Decode what there is of a file that ends early. Raises Truncated if that is nothing."""
    if name == "JPEG":
        data += _END_OF_JPEG  # the decoder fills up the rest
    try:
        image = _decode(data, name, container, max_pixels, warnings, partly=True)
    except PhotoError:
        raise
    except MemoryError as error:
        raise _typed(error, data, name, container) from error
    except Exception as error:
        raise Truncated(f"too little of the {name} is left") from error
    warnings.append(ENDS_EARLY)
    return image


def _decode(
    data: bytes,
    name: str,
    container: Container,
    max_pixels: int,
    warnings: list[str],
    *,
    partly: bool = False,
) -> ImageFile.ImageFile:
    page = layout.of_page(data, container) if name == "TIFF" else None
    start = data
    if page is not None:
        start = samples.description(data, page, container)
    elif name == "TIFF" and container.page:
        start = extract.alone(data, container.page)
    with guard.reading(max_pixels):
        image = _open(start, name, max_pixels, warnings)
        check_pixels(image.size, max_pixels)
        if name != "PNG":  # where EXIF may follow the pixels, and asking for it decodes them
            _parse_exif(image, max_pixels, warnings)
        if page is not None:
            image.im = samples.pixels(data, page, container, warnings, partly=partly).im
            image.info["compression"] = samples.compression(page)
            image.tile = []
            image.load_end()
        elif partly:
            guard.load_what_there_is(image)
        else:
            memory.hold(image)
            image.load()
        if name == "PNG":
            _parse_exif(image, max_pixels, warnings)
    return image


def _open(data: bytes, name: str, max_pixels: int, warnings: list[str]) -> ImageFile.ImageFile:
    """The header only. Raises SyntaxError with the plugin's reason."""
    if name == "HEIF":
        _register_heif()
    if name == "TIFF":
        guard.silence_libtiff()
    with guard.reading(max_pixels) as heard:
        try:
            image = Image.open(io.BytesIO(data), formats=[name])
        except Image.UnidentifiedImageError as error:
            raise SyntaxError("; ".join(heard) or _reason(data, name)) from error
    if any("APNG" not in warning for warning in heard):
        warnings.append(_DAMAGED_EXIF)
    return image


def _reason(data: bytes, name: str) -> str:
    """What Pillow's plugin says of a header that it cannot read; Image.open keeps it to itself."""
    try:
        Image.OPEN[name][0](io.BytesIO(data), "")
    except Exception as error:
        return one_line(error)
    return "unreadable header"


def _parse_exif(image: ImageFile.ImageFile, max_pixels: int, warnings: list[str]) -> None:
    """Has Pillow parse EXIF, which it keeps, while its complaints can be heard."""
    if len(image.info.get("exif") or b"") > jpeg.MAX_EXIF:
        del image.info["exif"]
        warnings.append(f"EXIF ignored: more than {jpeg.MAX_EXIF:,} bytes")
    with guard.reading(max_pixels) as heard:
        try:
            exif = image.getexif()
            for tag in reader.DIRECTORIES:
                exif.get_ifd(tag)
        except Exception as error:  # Pillow raises many kinds here
            warnings.append(f"EXIF ignored: {one_line(error)}")
            image.info.pop("exif", None)
            image.getexif().clear()
            return
    if heard and _DAMAGED_EXIF not in warnings:
        warnings.append(_DAMAGED_EXIF)
    elif image.info.get("exif") and not len(exif):
        warnings.append("EXIF ignored: no entry can be read")


def _register_heif() -> None:
    try:
        import pi_heif
    except ImportError as error:
        raise UnsupportedFormat("HEIC needs the package: pip install pi-heif") from error
    pi_heif.register_heif_opener()


def _typed(error: Exception, data: bytes, name: str, container: Container) -> PhotoError:
    reason = one_line(error)
    if isinstance(error, MemoryError):
        return TooLarge("not enough memory to decode it", again=True)
    if container.cut:
        return Truncated(f"the {name} ends early")
    if name == "JPEG" and jpeg.is_arithmetic(data):
        return UnsupportedFormat("arithmetic-coded JPEG that this decoder cannot read")
    if "support not installed" in reason or name not in Image.OPEN:
        return UnsupportedFormat(f"this Pillow was built without {name}")
    if any(words in reason.lower() for words in _UNSUPPORTED):
        return UnsupportedMode(f"{name}: {reason}")
    return Corrupt(f"broken {name}: {reason}")
