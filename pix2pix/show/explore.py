"""Sliders where there is a kernel, frames to slide through where there is none."""

import io
import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pix2pix.show.pictures import Picture, titled
from pix2pix.templates import render

Control = Sequence[Any] | bool
WIDEST = 640  # pixels of a frame; two fit beside each other into a page
NARROWEST = 160  # pixels for a frame's title
GAP = 4  # pixels between frames
# frames of the first control and of each other one, quality: what is tried until it is small enough
FEWER = (
    *((99, 99, 75), (99, 99, 55), (6, 3, 60), (5, 2, 50), (4, 2, 40)),
    *((4, 0, 50), (3, 0, 40), (2, 0, 30)),
)
TEMPLATE = Path(__file__).with_name("explore.html")


def explore(
    draw: Callable[..., Picture], *, frames: int = 8, most_bytes: int = 24_000, **controls: Control
) -> None:
    """Show `draw(**values)` with a control for every value.

    (low, high, start) numbers make a slider, of whole numbers when all three are; a list makes a
    choice, its first entry the start; True or False a box to tick. What is published holds the
    widget and, for pages without a kernel, a sheet of frames drawn now: at most `frames` values of
    the first control, half as many of each other one, the others as they start; fewer and coarser
    ones when the sheet would have more than `most_bytes`. A few lines of JavaScript make sliders of
    it; where those do not run, as on GitHub, the whole sheet is seen.

    Raises ValueError for controls of another kind.
    """
    import ipywidgets
    from IPython.display import display

    widgets = {name: _widget(ipywidgets, name, value) for name, value in controls.items()}
    image = ipywidgets.Image(layout=ipywidgets.Layout(max_width="100%", align_self="flex-start"))

    def refresh(change: object = None) -> None:
        mime, data = draw(**{name: widget.value for name, widget in widgets.items()}).encoded()
        image.format, image.value = mime.removeprefix("image/"), data

    for widget in widgets.values():
        widget.observe(refresh, names="value")
    refresh()
    box = ipywidgets.VBox([*widgets.values(), image])
    bundle = dict(box._repr_mimebundle_())
    display({**bundle, "text/html": _static(_drawn(draw, controls, frames), most_bytes)}, raw=True)


# without a kernel --------------------------------------------------------------------------------


@dataclass
class Slider:
    """A control's frames: what it is called, its values as texts, which of them it starts at."""

    name: str
    values: list[str]
    frames: list[Image.Image]
    start: int

    def thinned(self, most: int) -> "Slider | None":
        """At most so many frames, evenly spread, the start's among them; None for less than 2."""
        if most < 2:
            return None
        places = np.linspace(0, len(self.frames) - 1, min(most, len(self.frames)))
        kept = sorted({round(i) for i in places})
        nearest = min(kept, key=lambda i: abs(i - self.start))
        kept[kept.index(nearest)] = self.start
        chosen = [self.values[i] for i in kept], [self.frames[i] for i in kept]
        return Slider(self.name, *chosen, kept.index(self.start))


def _drawn(draw: Callable[..., Picture], controls: dict[str, Control], frames: int) -> list[Slider]:
    """Every control's frames, the other controls as they start."""
    start = {name: _start(control) for name, control in controls.items()}
    sliders: list[Slider] = []
    for name, control in controls.items():
        values = _values(control, frames if not sliders else frames // 2)
        pictures = [draw(**{**start, name: value}).image for value in values]
        for i, picture in enumerate(pictures):
            if picture.width > WIDEST:
                size = WIDEST, round(picture.height * WIDEST / picture.width)
                pictures[i] = _colors(picture).resize(size, Image.Resampling.LANCZOS)
        texts, at = [_short(value) for value in values], values.index(start[name])
        sliders.append(Slider(name.replace("_", " "), texts, pictures, at))
    return sliders


def _static(sliders: list[Slider], most_bytes: int) -> str:
    """The sheet as HTML, with as many frames as fit."""
    for first, others, quality in FEWER:
        most = [first, *[others] * (len(sliders) - 1)]
        thinned = [slider.thinned(n) for slider, n in zip(sliders, most, strict=True)]
        chosen = [slider for slider in thinned if slider] or sliders[:1]
        sheet, size, places = _sheet(chosen)
        buffer = io.BytesIO()
        sheet.save(buffer, "WEBP", quality=quality, method=4)
        if buffer.tell() <= most_bytes:
            break
    counts = np.cumsum([0, *(len(slider.frames) for slider in chosen)]).tolist()
    told = [
        {"name": s.name, "values": s.values, "first": first, "start": s.start}
        for s, first in zip(chosen, counts, strict=False)
    ]
    about = {"sheet": sheet.size, "frame": size, "places": places, "sliders": told}
    return render(
        TEMPLATE,
        frames=json.dumps(about, separators=(",", ":")),
        alt="; ".join(f"{s.name} = {', '.join(s.values)}" for s in chosen),
        address=f"data:image/webp;base64,{b64encode(buffer.getvalue()).decode()}",
    )


def _sheet(
    sliders: list[Slider],
) -> tuple[Image.Image, tuple[int, int], list[tuple[int, int]]]:
    """(All frames with titles in one image, the size of a frame, the corner of each)."""
    pairs = [
        (f"{s.name} = {v}", f) for s in sliders for v, f in zip(s.values, s.frames, strict=True)
    ]
    width, height = (max(f.size[axis] for _, f in pairs) for axis in (0, 1))
    wide = max(width, NARROWEST)
    cells = [titled(_colors(frame), text, width=wide) for text, frame in pairs]
    tall = max(cell.height for cell in cells)
    columns = max(1, min(4, (2 * WIDEST + GAP) // (wide + GAP), len(cells)))
    rows = -(-len(cells) // columns)
    size = columns * (wide + GAP) - GAP, rows * (tall + GAP) - GAP
    sheet = Image.new("RGBA", size, (255, 255, 255, 0))
    places = []
    for i, cell in enumerate(cells):
        x, y = i % columns * (wide + GAP), i // columns * (tall + GAP)
        sheet.paste(cell, (x, y))
        places.append((x, y + tall - height))
    return sheet, (width, height), places


def _colors(image: Image.Image) -> Image.Image:
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


# controls ----------------------------------------------------------------------------------------


def _widget(ipywidgets: Any, name: str, control: Control) -> Any:
    common = {"description": name.replace("_", " "), "style": {"description_width": "initial"}}
    if isinstance(control, bool):
        return ipywidgets.Checkbox(value=control, **common)
    if isinstance(control, list) and control:
        return ipywidgets.Dropdown(options=control, value=control[0], **common)
    if isinstance(control, tuple) and len(control) == 3:
        low, high, start = control
        whole = all(isinstance(x, int) for x in control)
        slider = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
        step = max(1, (high - low) // 100) if whole else (high - low) / 100
        return slider(value=start, min=low, max=high, step=step, continuous_update=False, **common)
    raise ValueError(f"{name}={control!r}: (low, high, start), a list of choices, True or False")


def _start(control: Control) -> Any:
    if isinstance(control, bool):
        return control
    return control[2] if isinstance(control, tuple) else control[0]


def _values(control: Control, frames: int) -> list[Any]:
    """At most `frames` values, spread over what the control offers, its start among them."""
    if isinstance(control, bool):
        return [False, True][: max(1, frames)] if frames > 1 else [control]
    if isinstance(control, list):
        places = {round(i) for i in np.linspace(0, len(control) - 1, max(1, frames))}
        return [control[i] for i in sorted(places | {0})]
    low, high, start = control
    if frames < 2:
        return [start]
    whole = isinstance(low, int) and isinstance(high, int) and isinstance(start, int)
    spread = [low + (high - low) * i / (frames - 1) for i in range(frames)]
    spread[min(range(frames), key=lambda i: abs(spread[i] - start))] = start
    return sorted({round(v) for v in spread}) if whole else spread


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
