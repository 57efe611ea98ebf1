"""Layer: the color of a photo alone, to be laid over it in the blend mode "Color".

That mode keeps the luma of what is below, 0.30 R + 0.59 G + 0.11 B, and takes all else of RGB from
the layer. So a layer holds what the colored photo has besides its luma, as predicted at the size
that the net sees, on mid gray: it has none of the photo's detail, is smooth, and goes over a
retouched scan as well. Source: Compositing and Blending Level 1 (W3C 2024), section 10.2; PDF 1.7.
"""

import numpy as np

from pix2pix import color
from pix2pix.colorize.chroma import Upsampled
from pix2pix.strips import Strip, parallel, strips

LUMA = (0.30, 0.59, 0.11)
"""Red, green and blue in the luma of the blend modes."""


def color_layer(L: np.ndarray, ab: np.ndarray, size: tuple[int, int], dtype: type) -> np.ndarray:
    """L* (1, h, w) and ab (2, h, w), both small and float32 -> (H, W, 3) of uint8 or uint16.

    `size` is (H, W). Luma is one half, and more or less only where the color has no room there.
    """
    rgb = color.lab_to_rgb(np.concatenate((L, ab)))
    upsampled = Upsampled(rgb - _luma(rgb), *size)
    result: np.ndarray = np.empty((*size, 3), dtype)
    white = np.iinfo(dtype).max

    def work(strip: Strip) -> None:
        layer = upsampled[strip]  # off luma, which is 0
        least, most = -layer.min(0), 1 - layer.max(0)
        layer += np.clip(np.float32(0.5), least, most)
        layer *= white
        np.rint(layer, out=layer).clip(0, white, out=layer)
        result[strip] = np.moveaxis(layer, 0, -1)

    parallel(work, strips(*size))
    return result


def _luma(rgb: np.ndarray) -> np.ndarray:
    """RGB (3, h, w) -> its luma (h, w)."""
    of_red, of_green, of_blue = LUMA
    return of_red * rgb[0] + of_green * rgb[1] + of_blue * rgb[2]
