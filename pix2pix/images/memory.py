"""Pictures that numpy and Pillow share: decoded, turned, converted and encoded where they lie.

Pillow keeps RGB as RGBX, four bytes a pixel. Both of its ways to numpy and back (`np.asarray`,
`Image.frombytes`) pack every pixel anew, which takes about as long as decoding a JPEG. Here numpy
has the memory, and Pillow works in it: an array (H, W, 4) for RGB, (H, W) for L.
"""

import numpy as np
from PIL import Image, ImageFile

# Their decoders fill the image that they find, of the size that the header states.
_DECODED_IN_PLACE = {"JPEG", "MPO", "PNG", "WEBP", "AVIF", "BMP", "TIFF"}
_HELD = "_pix2pix_pixels"
_STRIP_ROWS = 32
_T = Image.Transpose
_ON_THE_SIDE = {_T.TRANSPOSE, _T.TRANSVERSE, _T.ROTATE_90, _T.ROTATE_270}
_FROM_THE_END = {_T.FLIP_TOP_BOTTOM, _T.ROTATE_180, _T.ROTATE_270, _T.TRANSVERSE}


def canvas(mode: str, size: tuple[int, int]) -> tuple[Image.Image, np.ndarray]:
    """Make an image of mode L or RGB, to be filled, and the array (H, W) or (H, W, 4) of it."""
    pixels = np.empty(_shape(mode, size), np.uint8)
    return _on(pixels, mode), pixels


def hold(image: ImageFile.ImageFile) -> None:
    """Have Pillow decode into an array, where mode and format allow it; before `image.load`."""
    size = getattr(image, "_tile_size", image.size)  # of a TIFF that Pillow will turn
    if image.mode in ("L", "RGB") and image.format in _DECODED_IN_PLACE and size == image.size:
        pixels = np.zeros(_shape(image.mode, size), np.uint8)  # as Pillow's own
        image.im = _on(pixels, image.mode).im
        setattr(image, _HELD, (image.im, pixels))


def held(image: Image.Image) -> np.ndarray | None:
    """The array that an image lies in since `hold` or `turned`; None for any other image."""
    core, pixels = getattr(image, _HELD, (None, None))
    # a decoder may have put another one there; without one, the image may not be decoded yet
    return pixels if core is not None and core is image.im else None


def turned(image: Image.Image, method: Image.Transpose) -> Image.Image:
    """Transpose an image; one of mode L or RGB strip by strip into an array."""
    if image.mode not in ("L", "RGB"):
        return image.transpose(method)
    width, height = image.size
    aside = method in _ON_THE_SIDE
    result, pixels = canvas(image.mode, (height, width) if aside else (width, height))
    for top in range(0, height, _STRIP_ROWS):
        bottom = min(top + _STRIP_ROWS, height)
        at = height - bottom if method in _FROM_THE_END else top
        strip = image.crop((0, top, width, bottom)).transpose(method)
        result.paste(strip, (at, 0) if aside else (0, at))
    setattr(result, _HELD, (result.im, pixels))
    return result


def as_rgb(pixels: np.ndarray) -> np.ndarray:
    """RGBX (H, W, 4) or gray (H, W), uint8 -> rgb (H, W, 3) without a copy; of gray read-only."""
    if pixels.ndim == 3:
        return pixels[..., :3]
    return np.broadcast_to(pixels[..., None], (*pixels.shape, 3))


def to_image(rgb: np.ndarray) -> Image.Image:
    """Convert rgb (H, W, 3) uint8 to a PIL image of mode RGB; without a copy if it is RGBX.

    The image then shares the array's memory, and copies it before it would change it.
    """
    height, width = rgb.shape[:2]
    storage = _rgbx(rgb)
    if storage is not None:
        image = _on(storage, "RGB")
        image.readonly = 1
        return image
    if rgb.strides[2] == 0:
        packed = np.ascontiguousarray(rgb[..., 0]) * np.uint32(0x01010101)
        return _on(packed.view(np.uint8).reshape(height, width, 4), "RGB")
    image, _ = canvas("RGB", (width, height))
    image.frombytes(np.ascontiguousarray(rgb).data)
    return image


def _shape(mode: str, size: tuple[int, int]) -> tuple[int, ...]:
    width, height = size
    return (height, width) if mode == "L" else (height, width, 4)


def _on(pixels: np.ndarray, mode: str) -> Image.Image:
    """The image of mode L or RGB whose pixels are those bytes, which it keeps alive."""
    height, width = pixels.shape[:2]
    core = Image.core.map_buffer(pixels, (width, height), "raw", 0, (mode, 0, 1))
    return Image.new(mode, (0, 0))._new(core)


def _rgbx(rgb: np.ndarray) -> np.ndarray | None:
    """The RGBX (H, W, 4) that rgb (H, W, 3) is a view of; None where it is none."""
    height, width = rgb.shape[:2]
    base = rgb.base
    if rgb.strides != (4 * width, 4, 1) or not isinstance(base, np.ndarray):
        return None
    if not base.flags.c_contiguous or base.dtype.kind not in "uif":
        return None
    start = rgb.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    whole = base.reshape(-1).view(np.uint8)[start : start + 4 * height * width]
    return whole.reshape(height, width, 4) if whole.size == 4 * height * width else None
