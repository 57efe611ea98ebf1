"""Color a TIFF of a gigapixel, of tiles or strips, and say what memory and time that takes.

    python scripts/gigapixel.py /tmp/giga --side 32768 --tile 256 --compression jpeg [--rgb]
    python scripts/gigapixel.py /tmp/giga --side 16384 --strip 16 --compression deflate [--bits 16]

The picture is made there, of gradients and grain, colored by a process of its own, and both are
removed again unless --keep.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pix2pix import files
from pix2pix.images.tiff import extract, pieces
from pix2pix.images.tiff.output import TiffWriter
from pix2pix.images.tiff.structure import TiffHeader

_HEAD = TiffHeader("<", False, 0)


_NAMES = {"none": 1, "lzw": 5, "jpeg": 7, "deflate": 8}


def make(
    path: Path,
    side: int,
    piece: tuple[int, int],
    compression: int,
    *,
    tiled: bool,
    rgb: bool,
    bits: int = 8,
) -> None:
    """Write a square TIFF, gray or toned RGB, of tiles or strips of (height, width) `piece`."""
    channels = 3 if rgb else 1
    encode = pieces.encoder(compression, frugal=True)
    layout = pieces.fields(compression, channels, bits=bits)
    size = {tag: extract.longs(_HEAD, side) for tag in (256, 257)}
    high, wide = piece
    sides = {322: wide, 323: high} if tiled else {278: high}
    places = dict.fromkeys((324, 325) if tiled else (273, 279), 0)
    cut = {tag: extract.longs(_HEAD, number) for tag, number in (sides | places).items()}
    offsets, counts = [], []
    with files.replacing(path) as sink:
        writer = TiffWriter(sink)
        for pixels in _pieces(side, piece, channels):
            data = encode(pixels if bits == 8 else pixels.astype(np.uint16) * 251)
            offsets.append(writer.add(data))
            counts.append(len(data))
        writer.page(layout | size | cut, b"II*\0" + bytes(4), offsets, counts)
        writer.finish()


def _pieces(side: int, piece: tuple[int, int], channels: int) -> Iterator[np.ndarray]:
    """Grain, of sixteen kinds, on slopes and waves that run through the whole picture."""
    high, wide = piece
    grain = np.random.default_rng(0).normal(0, 6, (16, high, wide)).astype(np.float32)
    y, x = np.mgrid[:high, :wide].astype(np.float32)
    tones = np.array([1.06, 1.0, 0.86], np.float32)[:channels] if channels > 1 else np.ones(1)
    for top in range(0, side, high):
        for left in range(0, side, wide):
            waves = 60 * np.sin((left + x) / 997) + 40 * np.cos((top + y) / 661)
            gray = 120 + waves + grain[(top // high * 7 + left // wide) % 16]
            yield (gray[..., None] * tones).clip(0, 255).astype(np.uint8)


def main() -> None:
    """Make, color, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=32_768)
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--strip", type=int, metavar="ROWS", help="strips instead of tiles")
    parser.add_argument("--compression", choices=_NAMES, default="jpeg")
    parser.add_argument("--rgb", action="store_true")
    parser.add_argument("--bits", type=int, default=8)
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    if args.strip and args.side % args.strip:
        parser.error(f"{args.side} rows are no strips of {args.strip}")
    args.folder.mkdir(parents=True, exist_ok=True)
    source, dest = args.folder / "giga.tif", args.folder / "giga.color.tif"
    if not source.exists():
        start = time.perf_counter()
        make(
            source,
            args.side,
            (args.strip, args.side) if args.strip else (args.tile, args.tile),
            _NAMES[args.compression],
            tiled=not args.strip,
            rgb=args.rgb,
            bits=args.bits,
        )
        print(f"made {source.stat().st_size:,} bytes in {time.perf_counter() - start:.0f} s")
    command = [sys.executable, "-m", "pix2pix.cli", "colorize", str(source), "--overwrite"]
    start = time.perf_counter()
    subprocess.run([*command, "--max-pixels", str(args.side**2)], check=True)
    seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu, peak, made = used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20, dest.stat().st_size
    took = f"{seconds:.0f} s ({cpu:.0f} s of processors)"
    print(f"{args.side**2 / 1e6:,.0f} MP: {took}, {peak:.2f} GiB at most, {made:,} bytes")
    if not args.keep:
        source.unlink()
        dest.unlink()


if __name__ == "__main__":
    main()
