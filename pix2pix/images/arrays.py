"""Arrays as pictures: any usual dtype and number of channels to 8-bit RGB, and back."""

import numpy as np

from pix2pix.images import grays
from pix2pix.strips import Strip, parallel, strips

# the largest value of a dtype
WHITE = {"uint8": 255, "uint16": 65535, "float32": 1, "float64": 1}


def from_array(image: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Convert an array that `Colorizer` takes -> rgb (H, W, 3) uint8, alpha as it came.

    (H, W) or (H, W, 1|3|4) of uint8, uint16, or floats in [0, 1]. Raises TypeError for another
    dtype, ValueError for another shape and for floats outside of [0, 1].
    """
    white = WHITE.get(image.dtype.name)
    if white is None:
        raise TypeError(f"array of {image.dtype}; convert it to one of {', '.join(WHITE)}")
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or 0 in image.shape:
        raise ValueError(f"array of shape {image.shape}; it must be (H, W) or (H, W, 1|3|4)")
    colors, alpha = image[:, :, :3], image[:, :, 3] if image.shape[2] == 4 else None
    if image.dtype.kind == "f" and not (colors.min() >= 0 and colors.max() <= 1):  # or NaN
        raise ValueError(
            f"float array from {colors.min()} to {colors.max()}; scale it to [0, 1] first"
        )
    if white != 255:
        colors = np.rint(colors * np.float32(255 / white)).astype(np.uint8)
    return np.broadcast_to(colors, (*image.shape[:2], 3)), alpha


def to_uint8(rgb: np.ndarray) -> np.ndarray:
    """Round uint16 of any shape to uint8; what is uint8 stays as it is."""
    if rgb.dtype == np.uint8:
        return rgb
    result = np.empty(rgb.shape, np.uint8)
    for row, out in zip(rgb, result, strict=True):  # or it would take the picture twice
        out[:] = (row.astype(np.uint32) + 128) // 257
    return result


def grays16(image: np.ndarray) -> np.ndarray:
    """The lightness of a uint16 array that `from_array` takes, as sRGB grays (H, W) uint16."""
    if image.ndim == 2 or image.shape[2] == 1:
        return image.reshape(image.shape[:2])
    height, width = image.shape[:2]
    result, to_grays = np.empty((height, width), np.uint16), grays.of_color(None, None)

    def work(strip: Strip) -> None:
        result[strip] = to_grays(image[strip][..., :3])

    parallel(work, strips(height, width))
    return result


def to_array(rgb: np.ndarray, alpha: np.ndarray | None, dtype: np.dtype) -> np.ndarray:
    """Convert rgb (H, W, 3) uint8, with the input's alpha, back to the input's dtype.

    What has that dtype already stays as it is.
    """
    white = WHITE[dtype.name]
    if rgb.dtype != dtype:
        rgb = (rgb * np.float32(white / 255)).round(0 if white > 1 else 7).astype(dtype)
    return np.ascontiguousarray(rgb if alpha is None else np.dstack((rgb, alpha)))
