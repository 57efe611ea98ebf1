"""ICC profiles, version 2, made from primaries and tone curves; the matrices follow ICC.1:2001."""

import struct

import numpy as np

D50 = np.array([0.9642, 1.0, 0.8249])
D65 = np.array([0.95047, 1.0, 1.08883])
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)

# name: (red xy, green xy, blue xy, white XYZ, gamma)
SPACES = {
    "Adobe RGB": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), D65, 563 / 256),
    "ProPhoto": ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001), D50, 1.8),
    "P3": ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), D65, 2.2),
    "Rec2020": ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046), D65, 2.4),
}


def to_xyz(space: str) -> np.ndarray:
    """(3, 3): linear RGB of `space` to XYZ relative to D50."""
    red, green, blue, white, _ = SPACES[space]
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in (red, green, blue)]).T
    matrix = columns * np.linalg.solve(columns, white)
    scale = np.diag((_BRADFORD @ D50) / (_BRADFORD @ white))
    return np.linalg.inv(_BRADFORD) @ scale @ _BRADFORD @ matrix


def rgb_profile(space: str) -> bytes:
    """A display profile of one of SPACES."""
    matrix, gamma = to_xyz(space), SPACES[space][-1]
    tags = {b"wtpt": _xyz(D50)}
    for index, channel in enumerate("rgb"):
        tags[f"{channel}XYZ".encode()] = _xyz(matrix[:, index])
        tags[f"{channel}TRC".encode()] = _gamma(gamma)
    return profile(b"RGB ", tags)


def gray_profile(curve: float | np.ndarray) -> bytes:
    """A gray profile of a gamma or of a table in [0, 1]."""
    tone = _gamma(curve) if isinstance(curve, float) else _table(curve)
    return profile(b"GRAY", {b"wtpt": _xyz(D50), b"kTRC": tone})


def dot_gain(gain: float, count: int = 256) -> np.ndarray:
    """Luminance in [0,1] of paper whose dots of ink grow by `gain` in the middle tones."""
    ink = 1 - np.linspace(0, 1, count)
    return (1 - (ink + 4 * gain * ink * (1 - ink))).clip(0, 1)


def cmyk_profile() -> bytes:
    """A printer profile with a table of the 16 solid colors."""
    grid = np.stack(np.meshgrid(*[[0.0, 1.0]] * 4, indexing="ij"), -1).reshape(-1, 4)
    rgb = (1 - grid[:, :3]) * (1 - grid[:, 3:]) * 0.92 + 0.03  # paper is no white, ink no black
    lab = _lab(rgb @ to_xyz("Adobe RGB").T)
    codes = np.stack([lab[:, 0] * 2.55, lab[:, 1] + 128, lab[:, 2] + 128], -1)
    ramp = bytes(range(256))
    identity = struct.pack(">9i", *(65536 * np.eye(3, dtype=int)).ravel())
    table = b"mft1" + bytes(4) + struct.pack(">BBBx", 4, 3, 2) + identity
    table += ramp * 4 + codes.round().clip(0, 255).astype(np.uint8).tobytes() + ramp * 3
    return profile(b"CMYK", {b"wtpt": _xyz(D50), b"A2B0": table}, pcs=b"Lab ", kind=b"prtr")


def profile(
    space: bytes, tags: dict[bytes, bytes], *, pcs: bytes = b"XYZ ", kind: bytes = b"mntr"
) -> bytes:
    """The header, the tag table and the tags."""
    offset = 128 + 4 + 12 * len(tags)
    index, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        content = content.ljust(-(-len(content) // 4) * 4, b"\0")
        index += name + struct.pack(">II", offset + len(body), len(content))
        body += content
    head = struct.pack(">I4sI4s4s4s", offset + len(body), b"", 0x02400000, kind, space, pcs)
    head += struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += _xyz(D50)[8:] + bytes(48)
    return head + index + body


def lightness(y: np.ndarray) -> np.ndarray:
    """Luminance in [0, 1] -> L* in [0, 100]."""
    return np.where(y > 216 / 24389, 116 * np.cbrt(y) - 16, y * 24389 / 27)


def _lab(xyz: np.ndarray) -> np.ndarray:
    ratio = xyz / D50
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (ratio * 24389 / 27 + 16) / 116)
    a, b = 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])
    return np.stack([116 * f[:, 1] - 16, a, b], -1)


def _xyz(values: np.ndarray) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(int(round(v * 65536)) for v in values))


def _gamma(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))


def _table(curve: np.ndarray) -> bytes:
    codes = (curve * 65535).round().astype(">u2")
    return b"curv" + bytes(4) + struct.pack(">I", len(codes)) + codes.tobytes()
