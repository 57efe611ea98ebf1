"""Print what scripts/compare_recipes.sh found as a Markdown table: recipes_table.py OUT.

A row a recipe, its metrics from OUT/NAME.json (what `pix2pix evaluate` wrote), its parameters from
the weights, its speed from metrics.csv: the median over the logged steps, without validation.
"""

import json
import statistics
import sys
from pathlib import Path

from pix2pix import weights
from pix2pix.train.history import read

HEAD = "recipe | PSNR dB | SSIM | ΔE2000 | colorfulness | of true | parameters | images/s"
METRICS = {
    "psnr": "{:.2f}",
    "ssim": "{:.4f}",
    "delta_e2000": "{:.2f}",
    "colorfulness": "{:.1f}",
    "colorfulness_ratio": "{:.0%}",
}


def main(out: Path) -> None:
    """Print the table of a folder."""
    results = {path.stem: json.loads(path.read_text()) for path in sorted(out.glob("*.json"))}
    if not results:
        sys.exit(f"{out}: no NAME.json in it; scripts/compare_recipes.sh writes them")
    print(f"| {HEAD} |")
    print("|---" * len(HEAD.split("|")) + "|")
    first = next(iter(results.values()))
    for row in ("gray", "sepia"):
        print(f"| {row} | {cells_of(first['rows'][row])} | | |")
    for name, result in sorted(results.items(), key=lambda item: -psnr(item[1])):
        net, _ = weights.load(out / name / "last.safetensors")
        count = sum(tensor.numel() for tensor in net.parameters())
        cells = name, cells_of(result["rows"]["model"]), f"{count:,}", f"{speed(out / name):.0f}"
        print("| " + " | ".join(cells) + " |")


def psnr(result: dict) -> float:
    """The model's PSNR in what `evaluate` wrote."""
    return result["rows"]["model"]["psnr"]


def cells_of(row: dict[str, float]) -> str:
    """The metrics of a row, as cells."""
    return " | ".join(form.format(row[key]) for key, form in METRICS.items())


def speed(run: Path) -> float:
    """Images a second in training: the median of the logged ones."""
    return statistics.median(read(run / "metrics.csv").series["images_per_second"][1])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
