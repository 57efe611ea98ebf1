"""Tables: what `evaluate` found as lines of text, at most 100 columns wide."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from pix2pix.evaluate.result import Comparison, CurveName, Result, Section
from pix2pix.terminal import escape, spell

Cells = list[list[str]]

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
}
_FROM_NETS = ("lpips_like", "lpips", "frechet", "share_closed", "kid", "fid")
_MOST = 10  # columns that fit into 100 characters
_HALVES = {"colorfulness_ratio": "{:.1%}", "kid": "{:.1g}"}  # formats of half intervals
_UNKNOWN = "-"
_NOTES = {
    "lpips_like": "~LPIPS is LPIPS-like, on SqueezeNet: for rows of one table, not to compare with "
    "published ones",
}


def format_table(result: Result, *, encoding: str | None = None) -> str:
    """Lay out what `evaluate` returned as lines of text: each row, and below it the intervals.

    `±` is half of the 95 % bootstrap interval of the mean above it. What `encoding` lacks is
    spelled in ASCII before the columns are aligned.
    """
    columns = columns_of(result)
    near = [key for key in columns if key not in _FROM_NETS]
    tables = [columns] if len(columns) <= _MOST else [near, [k for k in columns if k not in near]]
    cells = [_rows(result, keys) for keys in tables] + [*sections(result).values()]
    blocks = [align([spell(cell, encoding) for cell in line] for line in one) for one in cells]
    said = "\n".join([about(result), *notes(result)])
    blocks.insert(len(tables), spell(said, encoding))
    return "\n\n".join(blocks)


def sections(result: Result) -> dict[str, Cells]:
    """What a result has beside its rows: by heading the cells of a table, its head first."""
    found = {"Over sepia": _over_sepia(result)}
    if "compare" in result:
        found["A less B"] = _compare(result["compare"])
        found["Photos where A and B differ most"] = _named(result["compare"])
    lay_outs: dict[CurveName, tuple[str, Callable[[Section], Cells]]] = {
        "hints": ("With hints of the true colors", _hints),
        "film": ("As from old film", _film),
        "sizes": ("With the input scaled", _sizes),
        "takes": ("Three variants, by seed", _variants),
        "saturations": ("With stronger and weaker colors", _saturations),
    }
    for name, (heading, lay_out) in lay_outs.items():
        if name in result:
            found[heading] = lay_out(result[name])
    return found


def columns_of(result: Result) -> list[str]:
    """Keys of the metrics that a result has, in the table's order."""
    return [key for key in COLUMNS if key in result["rows"]["gray"]]


def label(name: str, result: Result) -> str:
    """A row's name as it is shown: two models are A and B."""
    return {"model": "A", "other": "B"}.get(name, name) if "other" in result else name


def show(key: str, value: float | None) -> str:
    """A metric in its column's format; a dash for None."""
    return known(COLUMNS[key][1], value)


def known(form: str, value: float | None) -> str:
    """A value in a format; a dash for None."""
    return _UNKNOWN if value is None else form.format(value)


def cell(key: str, row: Mapping[str, float | None]) -> str:
    """A row's metric in its column's format; nothing where the row does not have it."""
    return show(key, row[key]) if key in row else ""


def show_half(key: str, interval: Sequence[float] | None) -> str:
    """Half of an interval as `±0.12`; nothing for None."""
    if interval is None:
        return ""
    form = _HALVES.get(key, COLUMNS[key][1])
    return "±" + form.format((interval[1] - interval[0]) / 2)


def about(result: Result) -> str:
    """One line: how many photos, their size, the model."""
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
    """What has to be said below the table."""
    said = ["± half of the 95 % bootstrap interval (1,000 draws of the photos)"]
    if result["pictures"] < 2:
        said = ["one photo has no interval: how far a metric would vary, several photos tell"]
    elif "frechet" in result["rows"]["gray"] or "fid" in result["rows"]["gray"]:
        said += ["± of distances between sets: the jackknife's (20 groups left out in turn)"]
    if _lacks(result):
        said += ["- cannot be told from these photos: a share of no color, or a distance of one"]
    return [*said, *(_NOTES[key] for key in columns_of(result) if key in _NOTES)]


def _lacks(part: object) -> bool:
    """Whether a metric of `rows`, at any depth, is None."""
    if not isinstance(part, dict):
        return False
    unknown = any(None in row.values() for row in part.get("rows", {}).values())
    return unknown or any(map(_lacks, part.values()))


def align(cells: Iterable[Sequence[str]]) -> str:
    """Lines of cells -> text: the first column to the left, the others to the right."""
    lines = [list(line) for line in cells]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in lines
    )


def _rows(result: Result, columns: Sequence[str]) -> Cells:
    cells = [["", *(COLUMNS[key][0] for key in columns)]]
    for name, row in result["rows"].items():
        halves = result["intervals"][name]
        cells.append([label(name, result), *(cell(key, row) for key in columns)])
        cells.append(["", *(show_half(key, halves.get(key)) for key in columns)])
    return [line for line in cells if any(line)]


def _over_sepia(result: Result) -> Cells:
    rows, intervals = result["over_sepia"]["rows"], result["over_sepia"]["intervals"]
    columns = [key for key in COLUMNS if key in rows["model"]]
    cells = [["over sepia", *(COLUMNS[key][0] for key in columns)]]
    for name, row in rows.items():
        cells.append(
            [
                label(name, result),
                *(_signed(key, row[key]) if key in row else "" for key in columns),
            ]
        )
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


def _hints(section: Section) -> Cells:
    cells = [["hints", "PSNR gain dB", "", "ΔE at hints: median", "95th percentile"]]
    for count, row in section["rows"].items():
        half = show_half("psnr", section["intervals"][count]["psnr_gain"])
        missed = (show("delta_e2000", row[f"delta_e2000_{k}"]) for k in ("median", "p95"))
        cells.append([count, _signed("psnr", row["psnr_gain"]), half, *missed])
    return cells


def _film(section: Section) -> Cells:
    cells = [["film", "PSNR lost dB", "", "colorful", ""]]
    for name, row in section["rows"].items():
        halves = section["intervals"][name]
        lost = known("{:z.2f}", row["psnr_lost"]) if "psnr_lost" in row else ""
        line = [name, lost, show_half("psnr", halves.get("psnr_lost"))]
        line.append(show("colorfulness", row["colorfulness"]))
        cells.append([*line, show_half("colorfulness", halves["colorfulness"])])
    return cells


def _sizes(section: Section) -> Cells:
    cells = [["input scaled", "ΔE2000 from 1", "", "colorful", ""]]
    for name, row in section["rows"].items():
        line = [name]
        for key in ("delta_e2000", "colorfulness"):
            line += [show(key, row[key]), show_half(key, section["intervals"][name][key])]
        cells.append(line)
    return cells


def _variants(section: Section) -> Cells:
    cells = [["seed", "PSNR lost dB", "", "photos that lose > 1 dB"]]
    for name, row in section["rows"].items():
        if name != "together":
            half = show_half("psnr", section["intervals"][name]["psnr_lost"])
            lost, often = known("{:z.2f}", row["psnr_lost"]), known("{:.0%}", row["over_1_db"])
            cells.append([name, lost, half, often])
    together = section["rows"]["together"]
    half = show_half("delta_e2000", section["intervals"]["together"]["delta_e2000"])
    cells.append(["ΔE2000 between two", show("delta_e2000", together["delta_e2000"]), half, ""])
    return [*cells, ["of it hue", known("{:.0%}", together["hue_share"]), "", ""]]


def _saturations(section: Section) -> Cells:
    cells = [["saturation", "PSNR dB", "", "over gray", "", "of true", ""]]
    for name, row in section["rows"].items():
        halves = section["intervals"][name]
        line = [name, show("psnr", row["psnr"]), show_half("psnr", halves["psnr"])]
        line += [_signed("psnr", row["over_gray"]), show_half("psnr", halves["over_gray"])]
        ratio = "colorfulness_ratio"
        cells.append([*line, show(ratio, row[ratio]), show_half(ratio, halves[ratio])])
    return cells
