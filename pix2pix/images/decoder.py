"""Pillow, kept on a lead: one format at a time, silent, and with typed errors only.

Pillow raises a dozen kinds of exceptions on bad files and has switches and warnings that are
process-wide; both end here.
"""

import contextlib
import ctypes
import functools
import io
import logging
import threading
import warnings as python_warnings
from collections.abc import Iterator

from PIL import Image, ImageFile

from pix2pix.errors import (
    Corrupt,
    PhotoError,
    TooLarge,
    Truncated,
    UnsupportedFormat,
    UnsupportedMode,
)
from pix2pix.images import jpeg, metadata, png
from pix2pix.images.formats import Container

_LOCK = threading.RLock()
# Without a handler anywhere, Pillow's log of broken files would go to stderr.
logging.getLogger("PIL").addHandler(logging.NullHandler())
ENDS_EARLY = "the file ends early: the rest of the picture is missing"
_DAMAGED_EXIF = "EXIF damaged: some of it ignored"
_UNSUPPORTED = ("unknown pixel mode", "cannot handle", "unsupported", "unknown data organization")


def decode(
    data: bytes, name: str, container: Container, *, max_pixels: int, warnings: list[str]
) -> ImageFile.ImageFile:
    """A file of format `name` -> its first frame, loaded.

    Raises TooLarge before any pixel is decoded, Truncated, Corrupt, UnsupportedFormat and
    UnsupportedMode.
    """
    try:
        return _decode(data, name, max_pixels, warnings, cut=container.cut)
    except PhotoError:
        raise
    except Exception as error:
        typed = _typed(error, data, name, container)
        if name != "PNG" or not isinstance(typed, Corrupt):
            raise typed from error
    # A text or profile chunk may be at fault, not the picture.
    try:
        image = _decode(png.essential(data), name, max_pixels, warnings)
    except PhotoError:
        raise
    except Exception:
        raise typed from None
    warnings.append(f"PNG text, profile and animation ignored: {typed.reason}")
    return image


def decode_truncated(
    data: bytes, name: str, *, max_pixels: int, warnings: list[str]
) -> ImageFile.ImageFile:
    """What there is of a file that ends early. Raises Truncated if that is nothing."""
    try:
        with _pillow(truncated=True):
            image = _decode(data, name, max_pixels, warnings)
    except PhotoError:
        raise
    except Exception as error:
        raise Truncated(f"too little of the {name} is left") from error
    warnings.append(ENDS_EARLY)
    return image


def check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    """Raises TooLarge, naming the limit and the flag that lifts it."""
    width, height = size
    if width * height > max_pixels:
        raise TooLarge(
            f"{width:,} x {height:,} pixels, more than the limit of {max_pixels:,} (--max-pixels)"
        )


def _decode(
    data: bytes, name: str, max_pixels: int, warnings: list[str], *, cut: bool = False
) -> ImageFile.ImageFile:
    image = _open(data, name, warnings)
    check_pixels(image.size, max_pixels)
    if name != "PNG":  # where EXIF may follow the pixels, and asking for it decodes them
        _parse_exif(image, warnings)
    limit = Image.MAX_IMAGE_PIXELS
    above = limit is not None and image.width * image.height > limit
    # The caller's limit holds, not Pillow's; and another thread may just be reading leniently.
    with _pillow() if above or cut else contextlib.nullcontext():
        image.load()
    if name == "PNG":
        _parse_exif(image, warnings)
    return image


def _open(data: bytes, name: str, warnings: list[str]) -> ImageFile.ImageFile:
    """The header only. Raises SyntaxError with the plugin's reason."""
    if name == "HEIF":
        _register_heif()
    if name == "TIFF":
        _silence_libtiff()
    with _pillow() as heard:
        try:
            image = Image.open(io.BytesIO(data), formats=[name])
        except Image.UnidentifiedImageError as error:
            reasons = [str(warning.message) for warning in heard]
            raise SyntaxError("; ".join(reasons) or "unreadable header") from error
    if any("APNG" not in str(warning.message) for warning in heard):
        warnings.append(_DAMAGED_EXIF)
    return image


def _parse_exif(image: ImageFile.ImageFile, warnings: list[str]) -> None:
    """Has Pillow parse EXIF, which it keeps, while its complaints can be heard."""
    if len(image.info.get("exif") or b"") > jpeg.MAX_EXIF:
        del image.info["exif"]
        warnings.append(f"EXIF ignored: more than {jpeg.MAX_EXIF:,} bytes")
    with _pillow() as heard:
        try:
            exif = image.getexif()
            for tag in metadata.DIRECTORIES:
                exif.get_ifd(tag)
        except Exception as error:  # Pillow raises many kinds here
            warnings.append(f"EXIF ignored: {error or type(error).__name__}")
            image.info.pop("exif", None)
            image.getexif().clear()
            return
    if heard and _DAMAGED_EXIF not in warnings:
        warnings.append(_DAMAGED_EXIF)
    elif image.info.get("exif") and not len(exif):
        warnings.append("EXIF ignored: no entry can be read")


@functools.cache
def _silence_libtiff() -> None:
    """libtiff writes its own lines to stderr about every broken strip; Pillow leaves it to."""
    with contextlib.suppress(OSError, AttributeError):  # linked statically, as on Windows
        library = ctypes.CDLL(Image.core.__file__)  # a symbol of its dependencies is found, too
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)


def _register_heif() -> None:
    try:
        import pillow_heif
    except ImportError as error:
        raise UnsupportedFormat(
            "HEIC needs the extra: pip install 'pix2pix-color[heic]'"
        ) from error
    pillow_heif.register_heif_opener()


@contextlib.contextmanager
def _pillow(*, truncated: bool | None = None) -> Iterator[list[python_warnings.WarningMessage]]:
    """Pillow's process-wide switches set for one call: no pixel limit of its own, no warnings out.

    `truncated` stays in force for calls within the call.
    """
    with _LOCK, python_warnings.catch_warnings(record=True) as heard:
        python_warnings.simplefilter("always")
        before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        verbose = getattr(Image, "WARN_POSSIBLE_FORMATS", False)  # not in every version
        Image.MAX_IMAGE_PIXELS, Image.WARN_POSSIBLE_FORMATS = None, True
        if truncated is not None:
            ImageFile.LOAD_TRUNCATED_IMAGES = truncated
        try:
            yield heard
        finally:
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before
            Image.WARN_POSSIBLE_FORMATS = verbose


def _typed(error: Exception, data: bytes, name: str, container: Container) -> PhotoError:
    reason = str(error) or type(error).__name__
    if isinstance(error, MemoryError):
        return TooLarge("not enough memory to decode it")
    if container.cut:
        return Truncated(f"the {name} ends early")
    if name == "JPEG" and jpeg.is_arithmetic(data):
        return UnsupportedFormat("arithmetic-coded JPEG that this decoder cannot read")
    if "support not installed" in reason or name not in Image.OPEN:
        return UnsupportedFormat(f"this Pillow was built without {name}")
    if any(words in reason.lower() for words in _UNSUPPORTED):
        return UnsupportedMode(f"{name}: {reason}")
    return Corrupt(f"broken {name}: {reason}")
