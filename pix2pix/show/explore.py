"""Sliders where there is a kernel, a picture of the same thing where there is none."""

from collections.abc import Callable, Sequence
from typing import Any

from pix2pix.show.pictures import Picture, grid

Control = Sequence[Any] | bool
WIDEST = 1300  # pixels of a static picture; wider ones are stacked


def explore(draw: Callable[..., Picture], *, frames: int = 3, **controls: Control) -> None:
    """Show `draw(**values)` with a control for every value.

    (low, high, start) numbers make a slider, of whole numbers when all three are; a list makes a
    choice, its first entry the start; True or False a box to tick. What is published holds the
    widget and a static picture, `frames` values of the first control beside or below each other:
    pages without a kernel show the picture. (ipympl publishes its canvas the same way.)

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
    mime, data = _static(draw, controls, frames).encoded()
    bundle = dict(box._repr_mimebundle_())
    display({**bundle, mime: _text(data)}, raw=True)


def _text(data: bytes) -> str:
    from base64 import b64encode

    return b64encode(data).decode()


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


def _static(draw: Callable[..., Picture], controls: dict[str, Control], frames: int) -> Picture:
    """The first control at several values, the others as they start."""
    start = {name: _start(control) for name, control in controls.items()}
    name, control = next(iter(controls.items()))
    values = _values(control, frames)
    pictures = [draw(**{**start, name: value}) for value in values]
    if len(pictures) == 1:
        return pictures[0]
    side = max(p.image.height for p in pictures)
    titles = [f"{name.replace('_', ' ')} = {_short(value)}" for value in values]
    if sum(p.image.width for p in pictures) > WIDEST:
        return grid([[picture] for picture in pictures], labels=titles, side=side)
    return grid([pictures], columns=titles, side=side)


def _start(control: Control) -> Any:
    if isinstance(control, bool):
        return control
    return control[2] if isinstance(control, tuple) else control[0]


def _values(control: Control, frames: int) -> list[Any]:
    """At most `frames` values, spread over what the control offers."""
    if isinstance(control, bool):
        return [control, not control][:frames]
    if isinstance(control, list):
        last = max(1, frames - 1)
        places = {round(i * (len(control) - 1) / last) for i in range(frames)}
        return [control[i] for i in sorted(places)]
    low, high, start = control
    if frames == 1:
        return [start]
    whole = isinstance(low, int) and isinstance(high, int) and isinstance(start, int)
    spread = [low + (high - low) * i / (frames - 1) for i in range(frames)]
    return [round(v) for v in spread] if whole else spread


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
