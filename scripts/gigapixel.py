"""Color a TIFF of a gigapixel made up of tiles, and say what memory and time that takes.

    python scripts/gigapixel.py /tmp/giga --side 32768 --tile 256 --compression jpeg [--rgb]

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


def make(path: Path, side: int, tile: int, compression: int, *, rgb: bool, bits: int = 8) -> None:
    """Write a square TIFF of tiles: gray, or toned RGB."""
    channels = 3 if rgb else 1
    encode = pieces.encoder(compression, frugal=True)
    layout = pieces.fields(compression, channels, bits=bits)
    size = {tag: extract.longs(_HEAD, side) for tag in (256, 257)}
    tiles = {tag: extract.longs(_HEAD, tile) for tag in (322, 323, 324, 325)}
    offsets, counts = [], []
    with files.replacing(path) as sink:
        writer = TiffWriter(sink)
        for pixels in _tiles(side, tile, channels):
            data = encode(pixels if bits == 8 else pixels.astype(np.uint16) * 251)
            offsets.append(writer.add(data))
            counts.append(len(data))
        writer.page(layout | size | tiles, b"II*\0" + bytes(4), offsets, counts)
        writer.finish()


def _tiles(side: int, tile: int, channels: int) -> Iterator[np.ndarray]:
    """Grain, of sixteen kinds, on slopes and waves that run through the whole picture."""
    grain = np.random.default_rng(0).normal(0, 6, (16, tile, tile)).astype(np.float32)
    y, x = np.mgrid[:tile, :tile].astype(np.float32)
    tones = np.array([1.06, 1.0, 0.86], np.float32)[:channels] if channels > 1 else np.ones(1)
    for top in range(0, side, tile):
        for left in range(0, side, tile):
            waves = 60 * np.sin((left + x) / 997) + 40 * np.cos((top + y) / 661)
            gray = 120 + waves + grain[(top // tile * 7 + left // tile) % 16]
            yield (gray[..., None] * tones).clip(0, 255).astype(np.uint8)


def main() -> None:
    """Make, color, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=32_768)
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--compression", choices=_NAMES, default="jpeg")
    parser.add_argument("--rgb", action="store_true")
    parser.add_argument("--bits", type=int, default=8)
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    source, dest = args.folder / "giga.tif", args.folder / "giga.color.tif"
    if not source.exists():
        start = time.perf_counter()
        make(source, args.side, args.tile, _NAMES[args.compression], rgb=args.rgb, bits=args.bits)
        print(f"made {source.stat().st_size:,} bytes in {time.perf_counter() - start:.0f} s")
    command = [sys.executable, "-m", "pix2pix.cli", "colorize", str(source), "--overwrite"]
    start = time.perf_counter()
    subprocess.run([*command, "--max-pixels", str(args.side**2)], check=True)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    made = dest.stat().st_size
    print(f"{args.side**2 / 1e6:,.0f} MP: {seconds:.0f} s, {peak:.2f} GiB at most, {made:,} bytes")
    if not args.keep:
        source.unlink()
        dest.unlink()


if __name__ == "__main__":
    main()
