"""Small test pictures and their bytes in a format."""

import io
from typing import Any

import numpy as np
from PIL import Image


def gray(width: int = 96, height: int = 64) -> np.ndarray:
    """(H, W) uint8: a smooth scene with a texture that does not compress to nothing."""
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(0).normal(0, 6, (height, width))
    scene = 128 + 60 * np.sin(x / 9) * np.cos(y / 7) + 40 * (x - width / 2) / width + noise
    return scene.clip(0, 255).astype(np.uint8)


def rgb(width: int = 96, height: int = 64) -> np.ndarray:
    """(H, W, 3) uint8: in color, no channel like another."""
    base = gray(width, height).astype(float)
    return np.stack([base, base * 0.8 + 20, 255 - base * 0.6], axis=-1).astype(np.uint8)


def encoded(pixels: np.ndarray | Image.Image, format: str, **options: Any) -> bytes:
    """The bytes of a file, as Pillow writes it."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()
