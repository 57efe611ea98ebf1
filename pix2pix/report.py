"""Reports: how good a model is on a folder of color photos, beside rows that cost nothing.

`evaluate` colors the gray version of every photo and compares it with the photo. The gray row
(no color at all) and the sepia row (one constant tint) say what the model's figures are worth:
PSNR rewards timid color, so sepia is the row to beat, with colorfulness near the truth's.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from pix2pix import images, metrics
from pix2pix.color import AB_SCALE, net_to_rgb, rgb_to_net
from pix2pix.errors import DataError, PhotoError

_BATCH = 8  # photos of 256x256 that stay in a CPU's cache through the metrics
_LEAST_COLOR = 1.0  # mean colorfulness below which every ratio to the truth is noise
_COLUMNS = {  # key: heading, format
    "psnr": ("PSNR dB", "{:.2f}"),
    "ssim": ("SSIM", "{:.4f}"),
    "delta_e2000": ("ΔE2000", "{:.2f}"),
    "colorfulness": ("colorful", "{:.1f}"),
    "colorfulness_ratio": ("of truth", "{:.0%}"),
    "colorfulness_error": ("mean |Δ|", "{:.1f}"),
    "frechet": ("Fréchet", "{:.1f}"),
    "share_closed": ("closed", "{:.1%}"),
}


class Colors(Protocol):
    """What is evaluated, such as a `Colorizer`: it names itself and colors one photo."""

    name: str

    def rgb(self, rgb: np.ndarray) -> np.ndarray:
        """Color rgb (H,W,3) uint8 from its lightness alone -> (H,W,3) uint8."""


def evaluate(
    folder: str | Path,
    colorizer: Colors,
    *,
    size: int = 256,
    sepia: tuple[float, float] = (-2.4, 11.0),
    features: str | Path | None = None,
) -> dict[str, Any]:
    """Compare colored photos with the true ones -> figures of the rows gray, sepia, model, truth.

    Every photo under `folder` is resized so that its short side is `size` pixels and cropped to
    the center square. `sepia` is the tint a*, b* of the sepia row, the median of the training
    photos. Each row holds the mean over the photos of PSNR [dB], SSIM, CIEDE2000 and colorfulness
    [0..255], that colorfulness over the truth's, and the mean of the differences' absolute values.
    With `features`, the weights of a SqueezeNet 1.1 (see `metrics.SqueezeFeatures`), also the
    Fréchet distance to the truth and the share of gray's distance that the row closes.

    Files that cannot be read are listed under "skipped". Raises DataError when none can,
    or when the photos themselves are gray.
    """
    network = None if features is None else metrics.SqueezeFeatures(features)
    paths, skipped = _photos(Path(folder)), []  # type: list[Path], list[dict[str, str]]
    figures: dict[str, dict[str, list[Tensor]]] = defaultdict(lambda: defaultdict(list))
    for truth in _batches(paths, size, skipped):
        rows = _rows(truth, colorizer, sepia)
        for name, rgb in rows.items():
            for figure, values in _measure(rgb, truth).items():
                figures[name][figure].append(values)
            if network is not None:
                with torch.inference_mode():
                    figures[name]["features"].append(network(rgb))
    if not figures:
        raise DataError(f"No photo could be read in {folder} ({len(skipped)} files skipped)")
    if torch.cat(figures["truth"]["colorfulness"]).mean() < _LEAST_COLOR:
        raise DataError(f"The photos in {folder} are gray: there is no color to compare with")
    table = {name: {k: torch.cat(v) for k, v in row.items()} for name, row in figures.items()}
    return {
        "folder": str(folder),
        "model": colorizer.name,
        "size": size,
        "sepia": list(sepia),
        "pictures": len(table["truth"]["colorfulness"]),
        "skipped": skipped,
        "rows": {name: _summary(name, table) for name in table},
    }


def format_table(result: dict[str, Any]) -> str:
    """Lay out what `evaluate` returned as lines of text, one a row."""
    rows = result["rows"]
    columns = [key for key in _COLUMNS if key in rows["gray"]]
    cells = [["", *(_COLUMNS[key][0] for key in columns)]]
    for name, row in rows.items():
        figures = [(_COLUMNS[key][1], row.get(key)) for key in columns]
        cells.append([name, *("" if v is None else form.format(v) for form, v in figures)])
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    lines = [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in cells
    ]
    count = f"{result['pictures']} photos at {result['size']} px, model {result['model']}"
    if result["skipped"]:
        count += f"; {len(result['skipped'])} files skipped"
    return "\n".join([*lines, count])


def _photos(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder of photos")
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in images.EXTENSIONS)


def _batches(paths: list[Path], size: int, skipped: list[dict[str, str]]) -> Iterator[Tensor]:
    """Read photos into batches of rgb (B,3,size,size) in [0, 1]; name the unreadable ones."""
    batch: list[Tensor] = []
    for path in tqdm(paths, desc="evaluate", unit="photo", disable=None):
        try:
            square = _square(images.read(path).rgb, size)
        except PhotoError as error:
            skipped.append({"path": str(path), "code": error.code, "reason": error.reason})
            continue
        batch.append(torch.from_numpy(square).permute(2, 0, 1) / 255)
        if len(batch) == _BATCH:
            yield torch.stack(batch)
            batch = []
    if batch:
        yield torch.stack(batch)


def _square(rgb: np.ndarray, size: int) -> np.ndarray:
    """Resize and crop rgb (H,W,3) uint8 to its center square (size,size,3)."""
    height, width = rgb.shape[:2]
    if min(height, width) != size:
        scale = size / min(height, width)
        height, width = max(size, round(height * scale)), max(size, round(width * scale))
        image = Image.fromarray(rgb).resize((width, height), Image.Resampling.LANCZOS)
        rgb = np.asarray(image)
    top, left = (height - size) // 2, (width - size) // 2
    return np.array(rgb[top : top + size, left : left + size])


def _rows(truth: Tensor, colorizer: Colors, sepia: tuple[float, float]) -> dict[str, Tensor]:
    """Each row's version of the photos, rgb (B,3,H,W) in [0, 1] in steps of 1/255 as in a file."""
    L, ab = rgb_to_net(truth)
    tint = torch.tensor(sepia).view(1, 2, 1, 1) / AB_SCALE
    uint8 = (255 * truth).round().byte().permute(0, 2, 3, 1).numpy()
    model = np.stack([colorizer.rgb(photo) for photo in uint8])
    return {
        "gray": (255 * net_to_rgb(L, torch.zeros_like(ab))).round() / 255,
        "sepia": (255 * net_to_rgb(L, tint.expand_as(ab))).round() / 255,
        "model": torch.from_numpy(model).permute(0, 3, 1, 2) / 255,
        "truth": truth,
    }


def _measure(rgb: Tensor, truth: Tensor) -> dict[str, Tensor]:
    colorfulness = {"colorfulness": metrics.colorfulness(rgb)}
    if rgb is truth:
        return colorfulness
    return {
        "psnr": metrics.psnr(rgb, truth),
        "ssim": metrics.ssim(rgb, truth),
        "delta_e2000": metrics.delta_e2000(rgb, truth),
    } | colorfulness


def _summary(name: str, table: dict[str, dict[str, Tensor]]) -> dict[str, float]:
    row, truth = table[name], table["truth"]
    summary = {k: v.double().mean().item() for k, v in row.items() if k != "features"}
    if name == "truth":
        return summary
    true = truth["colorfulness"].double().mean().item()
    summary["colorfulness_ratio"] = summary["colorfulness"] / true
    error = (row["colorfulness"] - truth["colorfulness"]).abs()
    summary["colorfulness_error"] = error.double().mean().item()
    if "features" in row:
        mine, real, gray = row["features"], truth["features"], table["gray"]["features"]
        summary["frechet"] = metrics.frechet_distance(mine, real)
        summary["share_closed"] = metrics.share_closed(mine, real, gray)
    return summary
