"""Draw the course's diagrams, resources/course/*.svg, each readable on light and dark pages.

`python scripts/make_diagrams.py` writes them, `--check` exits with 1 when one is not current. Sizes
and channels are those of the nets themselves. A picture keeps its own ground, and its colors follow
the reader's preference (prefers-color-scheme), so that one file serves light and dark pages.
"""

import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import torch

from pix2pix import nets

FOLDER = Path(__file__).resolve().parent.parent / "resources" / "course"
CELL, BIG = 22, 33  # px of a cell of a large and of a small grid
WIDE, EDGE, STEP = 800, 84, 42  # px: the U's picture, its outermost maps, from level to level
SHOWN = (("blue", 0, 1), ("orange", 1, -1))  # color, column, and 1 where its arrow goes above
STYLE = """
svg { font: 13px system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif }
.small { font-size: 11.5px } .mid { text-anchor: middle } .end { text-anchor: end }
.ground { fill: #f6f8fa } .ink { fill: #1f2328 } .soft { fill: #57606a }
.cell { fill: #fff; stroke: #8c959f } .border { fill: none; stroke: #8c959f; stroke-dasharray: 2 }
.blue { fill: #2f6fde; stroke: #2f6fde } .orange { fill: #d9730d; stroke: #d9730d }
.pale { fill-opacity: .3 } .line { stroke: #57606a; stroke-width: 1.5; fill: none }
.skip { stroke: #2f6fde; stroke-dasharray: 5 4 } .arc { stroke-width: 2; fill: none }
@media (prefers-color-scheme: dark) {
.ground { fill: #161b22 } .ink { fill: #e6edf3 } .soft { fill: #9ea7b3 }
.cell { fill: #0d1117; stroke: #6e7681 } .border { stroke: #6e7681 }
.blue { fill: #6ea8fe; stroke: #6ea8fe } .orange { fill: #f2a65a; stroke: #f2a65a }
.line { stroke: #9ea7b3 } .skip { stroke: #6ea8fe } .arc { fill: none } }
"""
GAME = """
.back { stroke: #d9730d; stroke-width: 2; stroke-dasharray: 6 4; fill: none }
.net { fill: #dbe8fd; stroke: #2f6fde } .learns { stroke-width: 3.5 } .strong { font-weight: bold }
.cut { stroke: #c93c37; stroke-width: 3 } .warn { fill: #c93c37 } .rest { fill: #d5dbe1 }
@media (prefers-color-scheme: dark) {
.back { stroke: #f2a65a } .net { fill: #17294a; stroke: #6ea8fe } .rest { fill: #30363d }
.cut { stroke: #ff7b72 } .warn { fill: #ff7b72 } }
"""
MARKER = (
    '<marker id="{0}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
    'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" class="{0}"/></marker>'
)


def sheet(width: int, height: int, title: str, parts: Iterator[str], more: str = "") -> str:
    """A whole SVG of `parts`; its title is for those who cannot see it. `more` is style, too."""
    markers = "".join(MARKER.format(name) for name in ("soft", "blue", "orange"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img"><title>{title}</title>\n<style>{STYLE}{more}</style>\n'
        f'<defs>{markers}</defs>\n<rect width="{width}" height="{height}" rx="8" class="ground"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def box(x: float, y: float, width: float, height: float, look: str) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" class="{look}"/>'


def text(x: float, y: float, words: str, look: str = "ink") -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{look}">{words}</text>'


def arrow(x0: float, y0: float, x1: float, y1: float, look: str = "line") -> str:
    path = f"M{x0:g} {y0:g}L{x1:g} {y1:g}"
    head = "blue" if "skip" in look else "soft"
    return f'<path d="{path}" class="{look}" marker-end="url(#{head})"/>'


def arc(x0: float, y0: float, x1: float, y1: float, way: int, look: str) -> str:
    """A bent arrow: above where `way` is 1, below where it is -1."""
    middle, far = (x0 + x1) / 2, (min(y0, y1) if way == 1 else max(y0, y1)) - 45 * way
    path = f"M{x0:g} {y0:g}C{middle:g} {far:g} {middle:g} {far:g} {x1:g} {y1:g}"
    return f'<path d="{path}" class="{look} arc" marker-end="url(#{look})"/>'


def cells(x: float, y: float, across: int, down: int, side: float, look: str) -> str:
    """A grid of square cells, in one path."""
    lines = [f"M{x:g} {y + j * side:g}h{across * side:g}" for j in range(down + 1)]
    lines += [f"M{x + i * side:g} {y:g}v{down * side:g}" for i in range(across + 1)]
    ground = f"M{x:g} {y:g}h{across * side:g}v{down * side:g}h{-across * side:g}z"
    return f'<path d="{ground}{"".join(lines)}" class="{look}"/>'


def strided() -> str:
    """A 4x4 convolution of stride 2 and padding 1, from 8x8 to 4x4."""
    return sheet(620, 300, "A 4x4 convolution of stride 2: 8 x 8 becomes 4 x 4", _strided())


def _strided() -> Iterator[str]:
    x, y, out_x, out_y = 40, 46, 430, 90
    yield text(x, 28, "in: 8 x 8, and a border of zeros: padding 1")
    yield text(out_x, 28, "out: 4 x 4")
    yield from _large(x, y)
    yield cells(out_x, out_y, 4, 4, BIG, "cell")
    yield text(out_x, 250, "The next output looks", "soft")
    yield text(out_x, 268, "2 px further: stride 2.", "soft")
    for look, i, way in SHOWN:
        yield box(x + 2 * i * CELL, y + 2 * CELL, 4 * CELL, 4 * CELL, f"{look} pale")
        yield box(out_x + BIG * i, out_y + BIG, BIG, BIG, look)
        start = x + (2 * i + 2) * CELL, y + (4 - 2 * way) * CELL
        yield arc(*start, out_x + BIG * (i + 0.5), out_y + BIG * (1.5 - way / 2), way, look)


def transposed() -> str:
    """A 4x4 transposed convolution of stride 2 and padding 1, from 4x4 to 8x8."""
    title = "A 4x4 transposed convolution of stride 2: 4 x 4 becomes 8 x 8"
    return sheet(620, 300, title, _transposed())


def _transposed() -> Iterator[str]:
    x, y, out_x, out_y = 40, 90, 330, 46
    yield text(x, 28, "in: 4 x 4")
    yield text(out_x, 28, "out: 8 x 8; padding 1 cuts the border off")
    yield cells(x, y, 4, 4, BIG, "cell")
    yield from _large(out_x, out_y)
    yield text(x, 250, "Each value spreads 4x4 weights,", "soft")
    yield text(x, 268, "2 px apart: stride 2. Overlaps add up.", "soft")
    for look, i, way in SHOWN:
        yield box(x + BIG * i, y + BIG, BIG, BIG, look)
        yield box(out_x + 2 * i * CELL, out_y + 2 * CELL, 4 * CELL, 4 * CELL, f"{look} pale")
        start = x + BIG * (i + 0.5), y + BIG * (1.5 - way / 2)
        end = out_x + (2 * i + 2) * CELL, out_y + (4 - 2 * way) * CELL
        yield arc(*start, *end, way, look)


def _large(x: float, y: float) -> Iterator[str]:
    """8 x 8 cells, and a border around them."""
    yield cells(x, y, 10, 10, CELL, "border")
    yield cells(x + CELL, y + CELL, 8, 8, CELL, "cell")


def field() -> str:
    """What one output of two convolutions of stride 2 sees, along one axis."""
    return sheet(620, 196, "One output of the second level sees 4 values, and 10 pixels", _field())


def _field() -> Iterator[str]:
    middle, rows = 390, [("level 2: 1 output", 1), ("level 1: 4 values", 4), ("input: 10 px", 10)]
    for row, (name, count) in enumerate(rows):
        y, left = 30 + 60 * row, middle - count * CELL / 2
        yield text(40, y + 16, name)
        yield cells(left, y, count, 1, CELL, "cell")
        yield box(left, y, count * CELL, CELL, "blue pale")
        below = rows[row + 1][1] if row < 2 else 0
        for i in range(count if below else 0):
            for end in (2 * i, 2 * i + 4):
                path = f"M{left + (i + 0.5) * CELL:g} {y + CELL}"
                path += f"L{middle + (end - below / 2) * CELL:g} {y + 60}"
                yield f'<path d="{path}" class="line"/>'


def unet() -> str:
    """The U-Net of the course, width 16 and depth 5, on 64 x 64 pixels."""
    return sheet(WIDE, 440, "The U-Net: five steps down, five up, and skips between them", _unet())


def maps(size: int = 64, *, width: int = 16, depth: int = 5) -> list[tuple[int, int]]:
    """(channels, pixels a side) of the input, and of what each step of the net gives."""
    net = nets.UNet(width=width, depth=depth, dropout=0.0).eval()
    seen = [(1, size)]
    for step in [*net.down, *net.up]:
        step.register_forward_hook(lambda _, given, out: seen.append(tuple(out.shape[1:3])))
    with torch.no_grad():
        net(torch.zeros(1, 1, size, size))
    return seen


def _unet() -> Iterator[str]:
    seen = maps()
    depth, y = len(seen) // 2, 52.0
    yield text(EDGE + 2, 24, "L", "ink mid")
    yield text(WIDE - EDGE - 3, 24, "ab", "ink mid")
    for level in range(depth):
        y = yield from _level(seen, level, y)
    channels, size = seen[depth]
    left = (WIDE - _wide(channels)) / 2
    yield from _map(left, y, channels, size, "blue")
    yield text(left - 8, y + _tall(size) / 2 + 4, f"{size} x {size}", "soft small end")
    rows = (
        (-6, "line", "down: LeakyReLU, 4x4 convolution of stride 2, norm"),
        (6, "line", "up: ReLU, 4x4 transposed convolution of stride 2, norm"),
        (0, "line skip", "skip: the same map, beside what comes from below"),
    )
    for i, (rise, look, words) in enumerate(rows):
        at = 52 + 24 * i
        yield arrow(200, at + rise, 232, at - rise, look)
        yield text(246, at + 4, words, "soft")


def _level(seen: list[tuple[int, int]], level: int, y: float) -> Generator[str, None, float]:
    """A level of the U, its top at y, and arrows to the next one, whose top it returns."""
    (channels, size), (inner, _) = seen[level], seen[level + 1]
    back = seen[-1 - level][0]  # channels that come up to this level
    bottom, half = y + _tall(size), y + _tall(size) / 2
    left, right = EDGE + STEP * level, WIDE - EDGE - STEP * level
    pair = right - _wide(back) - (_wide(channels) if level else 0)
    yield from _map(left, y, channels, size, "blue")
    yield from _map(pair, y, back, size, "orange")
    yield text(left - 8, half + 4, f"{size} x {size}", "soft small end")
    if level:
        yield from _map(right - _wide(channels), y, channels, size, "blue")
        yield arrow(left + _wide(channels) + 4, half, pair - 4, half, "line skip")
    below, next_top = left + STEP + _wide(inner) / 2, bottom + 36
    start = WIDE - below
    if 2 * level + 3 == len(seen):  # the bottleneck is in the middle
        below, start = WIDE / 2 - 14, WIDE / 2 + 14
    else:  # there are two maps beside each other
        start -= _wide(inner) / 2
    yield arrow(left + _wide(channels) / 2, bottom + 4, below, next_top - 16)
    yield arrow(start, next_top - 16, (pair + right) / 2, bottom + 4)
    return next_top


def _tall(size: int) -> float:
    return 12 + 60 * size / 64


def _wide(channels: int) -> float:
    return 4 * channels**0.5


def _map(x: float, y: float, channels: int, size: int, look: str) -> Iterator[str]:
    """A feature map: as tall as its pixels, as wide as its channels, whose number is above."""
    yield box(x, y, _wide(channels), _tall(size), look)
    yield text(x + _wide(channels) / 2, y - 4, str(channels), "ink small mid")


def patch() -> str:
    """What one score of the PatchGAN sees, along one axis, to scale."""
    seen = fields()
    counts = ", ".join(str(count) for count, _ in seen[1:])
    title = f"One score of the PatchGAN sees {counts} neighbors, layer by layer"
    return sheet(780, 336, title, _patch(seen), GAME)


def fields() -> list[tuple[int, int]]:
    """(outputs that one score sees, pixels from one to the next), from the score to the input."""
    net = nets.PatchGAN(width=1)
    convolutions = [layer for layer in net.layers if isinstance(layer, torch.nn.Conv2d)]
    apart, seen = [1], 1
    for layer in convolutions:
        apart.append(apart[-1] * layer.stride[0])
    found = [(seen, apart.pop())]
    for layer in reversed(convolutions):
        seen = (seen - 1) * layer.stride[0] + layer.kernel_size[0]
        found.append((seen, apart.pop()))
    return found


def _patch(seen: list[tuple[int, int]]) -> Iterator[str]:
    middle, reach, px, high = 476, 284, 6.6, 18  # px of the drawing; `px` for one of the picture
    between = [f"after convolution {i}: {{}}" for i in range(len(seen) - 2, 0, -1)]
    for row, ((count, apart), name) in enumerate(
        zip(seen, ["one score", *between, "the picture: {} px"], strict=True)
    ):
        y, side, half = 24 + 54 * row, apart * px, count * apart * px / 2
        yield text(28, y + 14, name.format(count))
        beside = int((reach - half) // side)
        for i in range(-beside, count + beside):
            look = "blue" if 0 <= i < count else "rest"
            yield box(round(middle - half + i * side + 1, 1), y, round(side - 2, 1), high, look)
        if row + 1 < len(seen):
            below = seen[row + 1][0] * seen[row + 1][1] * px / 2
            for way in (-1, 1):
                path = f"M{middle + way * half:g} {y + high}L{middle + way * below:g} {y + 54}"
                yield f'<path d="{path}" class="line skip"/>'


def gan() -> str:
    """The two data paths of pix2pix: the critic's turn and the generator's."""
    title = "The critic's turn, cut off from the generator, and the generator's, through the critic"
    return sheet(800, 462, title, _gan(), GAME)


def _gan() -> Iterator[str]:
    yield text(24, 30, "The critic's turn", "ink strong")
    yield text(160, 30, "real pairs should score 1, the generator's 0")
    yield from _named(286, 56, 80, 40, "cell", "ab", "the truth")
    yield from _named(430, 56, 70, 40, "cell", "L, ab")
    yield from _to_stack(106, "as it is")
    yield from _named(544, 66, 96, 74, "net learns", "D", "learns")
    for y, words in ((76, "½ (score - 1)²"), (130, "½ score²")):
        yield _way(f"M500 {y}H540")
        yield _way(f"M640 {y}H664")
        yield text(670, y + 5, words)
    yield _way("M366 76H426")
    yield _way("M49 110V44H465V52")
    yield _way("M49 150V178H465V154")
    yield _way("M704 140V166H592V146", "back")
    yield '<path d="M244 118L258 142M258 118L244 142" class="cut"/>'
    yield text(251, 171, "detach()", "warn mid")
    yield '<path d="M24 212H776" class="line"/>'
    yield text(24, 244, "The generator's turn", "ink strong")
    yield text(186, 244, "its pairs should score 1, its answer be near the truth")
    yield from _to_stack(300, "learns")
    yield from _named(544, 290, 96, 66, "net", "D", "frozen", top=18)
    yield _way("M500 324H540")
    yield _way("M640 324H664")
    yield text(670, 329, "(score - 1)²")
    yield _way("M49 304V270H465V300")
    yield _way("M326 344V402H426")
    yield from _named(430, 382, 70, 40, "cell", "ab", "the truth")
    yield _way("M500 402H664")
    yield text(670, 407, "λ |G(L) - ab|")
    yield _way("M704 335V340H226", "back")
    yield _way("M704 414V442H170V360", "back")
    yield _way("M566 26H600", "back")
    yield text(610, 30, "the gradient's way back", "soft")


def _to_stack(y: float, does: str) -> Iterator[str]:
    """From L through the generator to what the critic sees, at a height."""
    yield from _named(24, y + 4, 50, 40, "cell", "L")
    look = "net learns" if does == "learns" else "net"
    yield from _named(118, y - 9, 104, 66, look, "G", does)
    yield from _named(286, y + 4, 80, 40, "cell", "G(L)")
    yield from _named(430, y + 4, 70, 40, "cell", "L, G(L)")
    for start, end in ((74, 114), (222, 282), (366, 426)):
        yield _way(f"M{start} {y + 24}H{end}")


def _named(
    x: float,
    y: float,
    width: float,
    height: float,
    look: str,
    name: str,
    more: str = "",
    top: float = 0,
) -> Iterator[str]:
    """A box with a name, and a word below that; the name `top` px from the upper edge."""
    yield box(x, y, width, height, look).replace("/>", ' rx="6"/>')
    at = y + (top or height / 2 + (-3 if more else 5))
    yield text(x + width / 2, at, name, "ink mid")
    if more:
        yield text(x + width / 2, at + 15, more, "ink small mid")


def _way(path: str, look: str = "line") -> str:
    """An arrow along a path."""
    head = "orange" if look == "back" else "soft"
    return f'<path d="{path}" class="{look}" marker-end="url(#{head})"/>'


DIAGRAMS: dict[str, Callable[[], str]] = {
    "strided": strided,
    "transposed": transposed,
    "field": field,
    "unet": unet,
    "patch": patch,
    "gan": gan,
}


def main(argv: list[str]) -> int:
    """Write the files, or say which are not current."""
    stale = 0
    for name, draw in DIAGRAMS.items():
        path, drawn = FOLDER / f"{name}.svg", draw()
        if "--check" not in argv:
            path.write_text(drawn)
            print(f"{path.name}: {len(drawn) / 1000:.1f} kB")
        elif not path.exists() or path.read_text() != drawn:
            print(f"{path.name} is not current: run scripts/make_diagrams.py")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
