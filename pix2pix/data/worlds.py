"""Drawn worlds whose truth is known: marbles to color, and a quilt to fill with textures.

Neither needs a file, and neither ends: picture i of a seed is the same wherever it is drawn.
`marbles` asks for colors that lightness does not tell, `quilt` for textures whose grain the labels
do not tell. What no input tells is where L1 alone gives the middle of all answers, and where a
critic asks for one of them.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pix2pix.color import AB_SCALE
from pix2pix.randomness import uniform

COLORS = torch.tensor([[58.0, 42.0], [-46.0, 34.0], [18.0, -58.0]])
"""a*, b* (3, 2) of the marbles: red, green, blue, each inside sRGB at all their lightnesses."""

NAMES = ("red", "green", "blue")
"""What the rows of COLORS are called."""

SKY, GRASS = (-6.0, -26.0), (-18.0, 36.0)  # a*, b*
MARBLES = 3  # in a scene

TEXTURES = ("bricks", "grass", "water", "tiles")
"""What the patches of a quilt show, in the order of LABELS."""

LABELS = torch.tensor([[0.9, 0.2, 0.2], [0.2, 0.8, 0.2], [0.2, 0.3, 0.9], [0.9, 0.8, 0.2]])
"""RGB (4, 3) in [0, 1] of a quilt's label map."""


@dataclass(frozen=True)
class Marbles:
    """N scenes: L (N, 1, S, S) and ab (N, 2, S, S) in [-1, 1], as the nets have them.

    `inside` (N, S, S), bool, are the pixels of the marbles without their outline, `kinds` (N, 2)
    the rows of COLORS that the marbles have; the second marble may hide part of the first.
    """

    L: Tensor
    ab: Tensor
    inside: Tensor
    kinds: Tensor

    def __len__(self) -> int:
        return len(self.L)


@dataclass(frozen=True)
class Quilt:
    """N quilts: flat `labels` and `picture`, both RGB (N, 3, S, S) in [-1, 1].

    `kinds` (N, S, S) are the rows of LABELS, and the textures, that the pixels have.
    """

    labels: Tensor
    picture: Tensor
    kinds: Tensor

    def __len__(self) -> int:
        return len(self.labels)


def marbles(count: int, *, size: int = 64, seed: int = 0, first: int = 0) -> Marbles:
    """Draw `count` scenes of size x size px: blue sky, green grass, two marbles.

    A marble is red, green or blue with equal chances, and its lightness, 44 to 62, is drawn without
    regard to that. `first` is the position of the first scene in the seed's endless row.
    """
    draw = _Draws(count, size, seed, first)
    y, x = draw.y, draw.x  # (1, S, 1) and (1, 1, S) in (0, 1)
    horizon = draw.between(0.3, 0.6)
    sky = y < horizon
    L = torch.where(sky, 62 + 20 * y / horizon, 50 - 8 * y + 16 * (draw.grain() - 0.5))
    a, b = (torch.where(sky, s, g).expand_as(L) for s, g in zip(SKY, GRASS, strict=True))
    inside = torch.zeros_like(L, dtype=torch.bool)
    kinds = []
    for k in range(MARBLES):
        radius = draw.between(0.1, 0.17)
        right, down = draw.between(k + 0.25, k + 0.75) / MARBLES, draw.between(0.45, 0.85)
        off_x, off_y = (x - right) / radius, (y - down) / radius
        far = (off_x.square() + off_y.square()).sqrt()  # from the center, in radii
        shade = ((off_x + 0.35).square() + (off_y + 0.35).square()) / 2  # 0 where light falls
        lightness = draw.between(52, 62) - 8 * shade.clamp(max=1)
        kind = draw.one_of(len(COLORS))
        color = COLORS[kind][..., None, None]  # (N, 2, 1, 1)
        L = torch.where(far < 1, lightness, L)
        a = torch.where(far < 1, color[:, 0], a)
        b = torch.where(far < 1, color[:, 1], b)
        rim = 1.5 / (size * radius)  # 1.5 px, in radii
        inside = torch.where(far < 1 + rim, far < 1 - rim, inside)
        kinds.append(kind)
    ab = torch.stack([a, b], 1) / AB_SCALE
    return Marbles(L[:, None] / 50 - 1, ab, inside, torch.stack(kinds, 1))


def shares(ab: Tensor, scenes: Marbles, *, within: float = 25) -> Tensor:
    """The nets' ab (N, 2, S, S) -> shares (3,) of marble pixels that are red, green and blue.

    A pixel is red if its a*, b* lie less than `within` from those of red. Their sum is `near`.
    """
    pixels = AB_SCALE * ab.detach().movedim(1, -1)[scenes.inside]  # (pixels, 2)
    return (torch.cdist(pixels.float(), COLORS) < within).float().mean(0)


def near(ab: Tensor, scenes: Marbles, within: float = 25) -> float:
    """The nets' ab (N, 2, S, S) -> the share of marble pixels near a color that marbles have.

    Near is less than `within` in a*, b* from red, green or blue, whichever the marble had: 1 for
    the truth and for any other choice, 0 for brown marbles.
    """
    return float(shares(ab, scenes, within=within).sum())


def quilt(count: int, *, size: int = 64, seed: int = 0, first: int = 0) -> Quilt:
    """Draw `count` quilts of size x size px: a label map, and textures where the labels say.

    The patches are nearest neighbors of six random points. Where bricks, ripples and tiles lie
    within their patch, and each blade of grass, are drawn anew for each picture; labels do not
    tell them. `first` is the position of the first quilt in the seed's endless row.
    """
    draw = _Draws(count, size, seed, first)
    far, kinds = torch.full((count, size, size), torch.inf), torch.zeros(count, size, size).long()
    for _ in range(6):
        right, down = draw.between(0, 1), draw.between(0, 1)
        new = (draw.x - right).square() + (draw.y - down).square()
        kind = draw.one_of(len(TEXTURES)).view(-1, 1, 1)
        kinds, far = torch.where(new < far, kind, kinds), torch.minimum(new, far)
    textures = torch.stack([_bricks(draw), _grass(draw), _water(draw), _tiles(draw)])
    picture = torch.gather(textures, 0, kinds[None, :, None].expand(1, -1, 3, -1, -1))[0]
    labels = LABELS[kinds].movedim(-1, 1)
    return Quilt(2 * labels - 1, 2 * picture.clamp(0, 1) - 1, kinds)


def detail(picture: Tensor) -> Tensor:
    """Pictures (N, C, H, W) -> energy (N,) of what a 5x5 blur takes away: grain and edges.

    The mean square over channels and pixels; pixels beyond the border count as the border's.
    """
    wide = F.pad(picture.detach().float(), (2, 2, 2, 2), mode="replicate")
    return (picture.detach() - F.avg_pool2d(wide, 5, 1)).square().mean((1, 2, 3))


class _Draws:
    """Random numbers of pictures first ... first + count - 1 of a seed, each from its own stream.

    `y` (1, S, 1) and `x` (1, 1, S) are the centers of the pixels in (0, 1).
    """

    def __init__(self, count: int, size: int, seed: int, first: int):
        if count < 1 or size < 16:
            raise ValueError(f"count {count} and size {size} must be at least 1 and 16")
        self.size, self.seed = size, seed
        self.positions = np.arange(first, first + count)
        self.stream = 79  # the streams of drawn worlds begin at 80
        middle = (torch.arange(size) + 0.5) / size
        self.y, self.x = middle.view(1, size, 1), middle.view(1, 1, size)

    def between(self, low: float, high: float) -> Tensor:
        """One number a picture: (N, 1, 1) in [low, high]."""
        return (low + (high - low) * self._uniform(self.positions).float()).view(-1, 1, 1)

    def one_of(self, count: int) -> Tensor:
        """One of 0 ... count - 1 a picture, with equal chances: (N,)."""
        return (count * self._uniform(self.positions)).long()

    def grain(self) -> Tensor:
        """One number a pixel: (N, S, S) in [0, 1]."""
        at = self.positions[:, None] * self.size**2 + np.arange(self.size**2)
        return self._uniform(at).float().view(-1, self.size, self.size)

    def pixels(self) -> tuple[Tensor, Tensor]:
        """Row and column of each pixel, each picture's shifted by a draw below 64 px: (N, S, S)."""
        rows, columns = self.y * self.size - 0.5, self.x * self.size - 0.5
        shape = (len(self.positions), self.size, self.size)
        down, right = (self.one_of(64).view(-1, 1, 1) for _ in range(2))
        return (rows + down).expand(shape), (columns + right).expand(shape)

    def _uniform(self, positions: np.ndarray) -> Tensor:
        """The next stream's float64 in [0, 1) of the shape of `positions`."""
        self.stream += 1
        return torch.from_numpy(uniform(self.seed, positions, self.stream))


def _paint(tone: Tensor, dark: tuple[float, ...], light: tuple[float, ...]) -> Tensor:
    """Tone (N, S, S) in [0, 1] -> RGB (N, 3, S, S) between two colors."""
    low, high = (torch.tensor(c).view(1, 3, 1, 1) for c in (dark, light))
    return low + (high - low) * tone[:, None]


def _bricks(draw: _Draws) -> Tensor:
    """Bricks of 10x5 px in light mortar, each course half a brick beside the last."""
    row, column = draw.pixels()
    column = column + 5 * (row // 5 % 2)
    mortar = (row % 5 < 1) | (column % 10 < 1)
    return _paint(mortar.float(), (0.6, 0.22, 0.15), (0.85, 0.8, 0.72))


def _grass(draw: _Draws) -> Tensor:
    """Blades of grass: grain, drawn out over three rows."""
    blades = F.avg_pool2d(draw.grain()[:, None], (3, 1), 1, (1, 0))[:, 0]
    return _paint((3 * blades - 1).clamp(0, 1), (0.08, 0.25, 0.05), (0.5, 0.75, 0.25))


def _water(draw: _Draws) -> Tensor:
    """Ripples, 6 px from crest to crest, that rise and fall over 16 px."""
    row, column = draw.pixels()
    bend = (column % 16 - 8).abs() / 2
    return _paint(((row + bend) % 6 - 3).abs() / 3, (0.1, 0.25, 0.5), (0.6, 0.8, 0.9))


def _tiles(draw: _Draws) -> Tensor:
    """Square tiles of 4 px, dark and light in turn."""
    row, column = draw.pixels()
    return _paint((row // 4 + column // 4) % 2, (0.35, 0.3, 0.2), (0.9, 0.85, 0.7))
