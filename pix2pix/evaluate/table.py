"""Tables: what `evaluate` found as lines of text, at most 100 columns wide."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from pix2pix.evaluate.result import Comparison, CurveName, Intervals, Means, Result, Section
from pix2pix.terminal import escape, spell

Cells = list[list[str]]
Show = Callable[[str, float | None], str]

COLUMNS = {  # key: heading, format
    "psnr": ("PSNR dB", "{:.2f}"),
    "ssim": ("SSIM", "{:.4f}"),
    "delta_e2000": ("ΔE2000", "{:.2f}"),
    "lpips_like": ("~LPIPS", "{:.4f}"),
    "lpips": ("LPIPS", "{:.4f}"),
    "colorfulness": ("colorful", "{:.1f}"),
    "colorfulness_ratio": ("of true", "{:.0%}"),
    "colorfulness_error": ("mean |Δ|", "{:.1f}"),
    "frechet": ("Fréchet", "{:.1f}"),
    "share_closed": ("closed", "{:.1%}"),
    "kid": ("KID", "{:.3g}"),
    "fid": ("FID", "{:.1f}"),
    "strong_chroma_ratio": ("chroma of true", "{:.1%}"),
    "strong_hue_cosine": ("cos of hue error", "{:.3f}"),
    "strong_area": ("of the area", "{:.1%}"),
    "error_mean": ("photo's mean", "{:.1%}"),
    "error_cells": ("8x8 cells", "{:.1%}"),
}
_FROM_NETS = ("lpips_like", "lpips", "frechet", "share_closed", "kid", "fid")
_STRONG = ("strong_chroma_ratio", "strong_hue_cosine", "strong_area")
_ERROR = ("error_mean", "error_cells")
_MOST = 10  # columns that fit into 100 characters
_HALVES = {"colorfulness_ratio": "{:.1%}", "kid": "{:.1g}"}  # formats of half intervals
_UNKNOWN = "-"
_NOTES = {
    "lpips_like": "~LPIPS is LPIPS-like, on SqueezeNet: for rows of one table, not to compare with "
    "published ones",
}


class _Column(NamedTuple):
    """One metric of a curve's rows, and beside it half of its interval where it has one."""

    heading: str
    metric: str
    form: str = "{:.2f}"
    half: str | None = None  # the key in COLUMNS whose format it gets


_GAIN = _Column("PSNR gain dB", "psnr_gain", "{:+.2f}", "psnr")
_LOST = _Column("PSNR lost dB", "psnr_lost", "{:z.2f}", "psnr")
_OFTEN = _Column("photos that lose > 1 dB", "over_1_db", "{:.0%}")
_PSNR = _Column("PSNR dB", "psnr", half="psnr")
_OVER_GRAY = _Column("over gray", "over_gray", "{:+.2f}", "psnr")
_MEDIAN = _Column("ΔE at hints: median", "delta_e2000_median")
_P95 = _Column("95th percentile", "delta_e2000_p95")
_APART = _Column("ΔE2000 from 1", "delta_e2000", half="delta_e2000")
_COLORFUL = _Column("colorful", "colorfulness", "{:.1f}", "colorfulness")
_RATIO = _Column("of true", "colorfulness_ratio", "{:.0%}", "colorfulness_ratio")
_OVER_SEPIA = _Column("over sepia", "over_sepia", "{:+.2f}", "psnr")
_SATURATION = _Column("factor", "saturation")  # of the saturation
_CURVES: dict[CurveName, tuple[str, str, tuple[_Column, ...]]] = {  # heading, first column, others
    "hints": ("With hints of the true colors", "hints", (_GAIN, _MEDIAN, _P95)),
    "film": ("As from old film", "film", (_LOST, _COLORFUL)),
    "sizes": ("With the input scaled", "input scaled", (_APART, _COLORFUL)),
    "takes": ("Three variants, by seed", "seed", (_LOST, _OFTEN)),
    "saturations": ("With other saturations", "saturation", (_PSNR, _OVER_GRAY, _RATIO)),
    "frontier": (
        "At equal color, by saturation",
        "",
        (_PSNR, _OVER_GRAY, _OVER_SEPIA, _RATIO, _SATURATION),
    ),
}


def format_table(result: Result, *, encoding: str | None = None) -> str:
    """Lay out what `evaluate` returned as lines of text: each row, and below it the intervals.

    `±` is half of the 95 % bootstrap interval of the mean above it. What `encoding` lacks is
    spelled in ASCII before the columns are aligned.
    """
    columns = columns_of(result)
    near = [key for key in columns if key not in _FROM_NETS]
    tables = [columns] if len(columns) <= _MOST else [near, [k for k in columns if k not in near]]
    means, intervals = result["rows"], result["intervals"]
    cells = [_rows("", means, intervals, keys, result, show) for keys in tables]
    cells += sections(result).values()
    blocks = [align([spell(cell, encoding) for cell in line] for line in one) for one in cells]
    said = "\n".join([about(result), *notes(result)])
    blocks.insert(len(tables), spell(said, encoding))
    return "\n\n".join(blocks)


def sections(result: Result) -> dict[str, Cells]:
    """Lay out the sections beside the rows: by heading the cells of a table, its head first."""
    means, intervals = result["over_sepia"]["rows"], result["over_sepia"]["intervals"]
    keys = [key for key in COLUMNS if key in means["model"]]
    found = {"Over sepia": _rows("over sepia", means, intervals, keys, result, _signed)}
    rows, halves = result["rows"], result["intervals"]
    strong = _rows("strong", rows, halves, _STRONG, result, show)
    error = _rows("ab error", rows, halves, _ERROR, result, show)
    found["Strong colors: true chroma C*ab of 40 or more"] = strong
    found["Shares of the squared a*, b* error"] = error
    if "compare" in result:
        found["A less B"] = _compare(result["compare"])
        found["Photos where A and B differ most"] = _named(result["compare"])
    for name, (heading, first, columns) in _CURVES.items():
        if name in result:
            found[heading] = _curve(first, columns, result[name])
    return found


def columns_of(result: Result) -> list[str]:
    """Keys of the metrics that a result has, in the table's order."""
    return [k for k in COLUMNS if k in result["rows"]["gray"] and k not in _STRONG + _ERROR]


def label(name: str, result: Result) -> str:
    """A row's name as it is shown: two models are A and B."""
    return {"model": "A", "other": "B"}.get(name, name) if "other" in result else name


def show(key: str, value: float | None) -> str:
    """Format a metric as its column does; a dash for None."""
    return known(COLUMNS[key][1], value)


def known(form: str, value: float | None) -> str:
    """Format a value; a dash for None."""
    return _UNKNOWN if value is None else form.format(value)


def cell(key: str, row: Mapping[str, float | None]) -> str:
    """Format a row's metric as its column does; nothing where the row does not have it."""
    return show(key, row[key]) if key in row else ""


def show_half(key: str, interval: Sequence[float] | None) -> str:
    """Format half of an interval as `±0.12`; nothing for None."""
    if interval is None:
        return ""
    form = _HALVES.get(key, COLUMNS[key][1])
    return "±" + form.format((interval[1] - interval[0]) / 2)


def about(result: Result) -> str:
    """Summarize a result in one line: how many photos, their size, the model."""
    models = f"model {result['model']}"
    if "other" in result:
        models = f"A {result['model']}, B {result['other']}"
    count = result["pictures"]
    line = f"{count} photo{'s' * (count != 1)} at {result['size']} px, {models}"
    if "against" in result:
        found = result["against"]
        line += f"; against {escape(found['folder'])} on {found['pictures']} of them"
    if result["skipped"]:
        line += f"; {len(result['skipped'])} files skipped"
    return line


def notes(result: Result) -> list[str]:
    """The footnotes of the table."""
    said = ["± half of the 95 % bootstrap interval (1,000 draws of the photos)"]
    if result["pictures"] < 2:
        said = ["one photo has no interval: it takes several to see how far a metric varies"]
    elif "frechet" in result["rows"]["gray"] or "fid" in result["rows"]["gray"]:
        said += ["± of distances between sets: the jackknife's (20 groups left out in turn)"]
    if _lacks(result):
        said += ["- undefined for these photos: a share of no color, or a distance of one"]
    return [*said, *(_NOTES[key] for key in columns_of(result) if key in _NOTES)]


def _lacks(part: object) -> bool:
    """Whether a metric of `rows`, at any depth, is None."""
    if not isinstance(part, dict):
        return False
    unknown = any(None in row.values() for row in part.get("rows", {}).values())
    return unknown or any(map(_lacks, part.values()))


def align(cells: Iterable[Sequence[str]]) -> str:
    """Align cells as text: the first column to the left, the others to the right."""
    lines = [list(line) for line in cells]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in lines
    )


def _rows(
    first: str,
    rows: Means,
    intervals: Intervals,
    columns: Sequence[str],
    result: Result,
    show: Show,
) -> Cells:
    """Of each row a line of its metrics, and below it one of the halves of their intervals."""
    cells = [[first, *(COLUMNS[key][0] for key in columns)]]
    for name, row in rows.items():
        shown = (show(key, row[key]) if key in row else "" for key in columns)
        cells.append([label(name, result), *shown])
        cells.append(["", *(show_half(key, intervals[name].get(key)) for key in columns)])
    return [line for line in cells if any(line)]


def _signed(key: str, value: float | None) -> str:
    return known(COLUMNS[key][1].replace(":", ":+"), value)


def _compare(section: Comparison) -> Cells:
    cells = [["A less B", "mean", "95 %", "A better on"]]
    for key, row in section["rows"].items():
        ends = section["intervals"][key]["difference"] or ()
        span = " to ".join(_signed(key, end) for end in ends)
        mean, share = _signed(key, row["difference"]), known("{:.1%}", row["share_better"])
        cells.append([COLUMNS[key][0], mean, span, share])
    return cells


def _named(section: Comparison) -> Cells:
    photos = section["gains"] + section["losses"]
    return [["largest gains and losses", "PSNR dB"]] + [
        [escape(photo["path"]), f"{photo['psnr']:+.2f}"] for photo in photos
    ]


def _curve(first: str, columns: Sequence[_Column], section: Section) -> Cells:
    cells = [[first]]
    for column in columns:
        cells[0] += [column.heading, ""] if column.half else [column.heading]
    for name, row in section["rows"].items():
        line = [name]
        for _, metric, form, half in columns:
            line.append(known(form, row[metric]) if metric in row else "")
            if half:
                line.append(show_half(half, section["intervals"][name].get(metric)))
        cells.append(line)
    if "together" in section["rows"]:
        row, halves = section["rows"]["together"], section["intervals"]["together"]
        half = show_half("delta_e2000", halves["delta_e2000"])
        cells[-1] = ["ΔE2000 between two", show("delta_e2000", row["delta_e2000"]), half, ""]
        cells.append(["of it hue", known("{:.0%}", row["hue_share"]), "", ""])
    return cells
