"""Pictures in PQ, HLG, linear light and wide primaries, by the formulas of the standards."""

import struct

import numpy as np
from PIL import Image

from .pictures import encoded
from .pngs import chunk, from_samples

# Rows: X, Y, Z of linear sRGB, P3 and BT.2020, white D65. Source: IEC 61966-2-1, SMPTE EG 432-1,
# ITU-R BT.2020.
XYZ = {
    1: [[0.41239, 0.35758, 0.18048], [0.21264, 0.71517, 0.07219], [0.01933, 0.11919, 0.95053]],
    12: [[0.48657, 0.26567, 0.19822], [0.22897, 0.69174, 0.07929], [0.0, 0.04511, 1.04394]],
    9: [[0.63696, 0.14462, 0.16888], [0.26270, 0.67800, 0.05930], [0.0, 0.02807, 1.06099]],
}
PQ, HLG, LINEAR, SRGB = 16, 18, 8, 13


def linear(rgb: np.ndarray) -> np.ndarray:
    """uint8 sRGB -> linear light in [0, 1]."""
    v = rgb / 255
    return np.where(v > 0.04045, ((v + 0.055) / 1.055) ** 2.4, v / 12.92)


def coded(light: np.ndarray, transfer: int, *, primaries: int = 1) -> np.ndarray:
    """Linear sRGB (H,W[,3]), 1 is paper white -> values in [0, 1] of that coding."""
    if light.ndim == 3 and primaries != 1:
        light = light @ (np.linalg.inv(XYZ[primaries]) @ np.array(XYZ[1])).T
    light = light.clip(0)
    if transfer == PQ:
        y = (203 * light / 10_000) ** 0.1593017578125
        return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375
    if transfer == HLG:
        shown = 203 * light / 1000
        luminance = shown if light.ndim == 2 else (shown @ np.array(XYZ[primaries][1]))[..., None]
        scene = shown * np.maximum(luminance, 1e-9) ** (1 / 1.2 - 1)
        high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        return np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)
    if transfer == SRGB:
        return np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light)
    return light


def cicp_png(values: np.ndarray, transfer: int, *, primaries: int = 9, bits: int = 16) -> bytes:
    """Values in [0, 1] -> a PNG that states what they mean."""
    white = 2**bits - 1
    samples = np.rint(values.clip(0, 1) * white).astype(np.uint16 if bits == 16 else np.uint8)
    return from_samples(samples, before=chunk(b"cICP", bytes([primaries, transfer, 0, 1])))


def png_with(values: np.ndarray, **chunks: bytes) -> bytes:
    """Values in [0, 1] -> a 16-bit PNG with these chunks before its pixels."""
    samples = np.rint(values.clip(0, 1) * 65535).astype(np.uint16)
    before = b"".join(chunk(kind.encode(), content) for kind, content in chunks.items())
    return from_samples(samples, before=before)


def nclx(values: np.ndarray, transfer: int, *, primaries: int = 9, format: str = "AVIF") -> bytes:
    """Values in [0, 1] -> AVIF or HEIF whose colr box says so."""
    options = {"subsampling": "4:4:4"} if format == "AVIF" else {"chroma": 444}
    image = Image.fromarray(np.rint(values.clip(0, 1) * 255).astype(np.uint8))
    data = encoded(image, format, quality=98, **options)
    start = data.index(b"colrnclx") + 8
    return data[:start] + struct.pack(">HH", primaries, transfer) + data[start + 4 :]


def with_cicp_tag(profile: bytes, primaries: int, transfer: int) -> bytes:
    """An ICC profile with one more tag, ICC 4.4's cicp."""
    count = int.from_bytes(profile[128:132], "big")
    table = bytearray(profile[132 : 132 + 12 * count])
    for entry in range(4, len(table), 12):
        moved = int.from_bytes(table[entry : entry + 4], "big") + 12
        table[entry : entry + 4] = moved.to_bytes(4, "big")
    body = profile[132 + 12 * count :]
    tag = struct.pack(">4sII", b"cicp", len(profile) + 12, 12)
    content = b"cicp\0\0\0\0" + bytes([primaries, transfer, 0, 1])
    head = (len(profile) + 24).to_bytes(4, "big") + profile[4:128]
    return head + (count + 1).to_bytes(4, "big") + bytes(table) + tag + body + content


def without_colr(data: bytes) -> bytes:
    """An ISO file whose colr boxes are of no kind that anybody knows."""
    return data.replace(b"colrnclx", b"skipnclx")
