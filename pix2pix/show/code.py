"""The real source of what a notebook talks about, and the shapes that flow through a net."""

import html
import inspect
import textwrap
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

_BOX = (
    "background:#f6f8fa;color:#1f2328;border:1px solid #d0d7de;border-radius:6px;"
    "padding:8px 12px;margin:0;overflow-x:auto;line-height:1.35;font-size:12px;"
    "font-family:ui-monospace,Menlo,Consolas,monospace"
)
_CELL = "padding:2px 10px;text-align:left;border-bottom:1px solid #d0d7de"
_TABLE = "background:#f6f8fa;color:#1f2328;border-collapse:collapse;font-size:13px"


class Html:
    """Text for a notebook: HTML where that is shown, plain text elsewhere."""

    def __init__(self, markup: str, text: str):
        self.markup, self.text = markup, text

    def _repr_html_(self) -> str:
        return self.markup

    def __repr__(self) -> str:
        return self.text


def source(thing: type | Callable[..., object], *, docstring: bool = True) -> Html:
    """The source of a function, method or class as it runs, in color.

    `docstring=False` leaves out its first docstring. Raises TypeError for what has no source.
    """
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    text = textwrap.dedent(inspect.getsource(thing)).rstrip()
    if not docstring:
        text = _without_docstring(text)
    style = HtmlFormatter(nowrap=True, noclasses=True, style="friendly")
    colored = highlight(text, PythonLexer(), style)
    return Html(f'<pre style="{_BOX}">{colored}</pre>', text)


def _without_docstring(text: str) -> str:
    import ast

    node = ast.parse(text).body[0]
    first = node.body[0]  # type: ignore[attr-defined]
    if not ast.get_docstring(node):  # type: ignore[arg-type]
        return text
    lines = text.splitlines()
    rest = lines[first.end_lineno :]
    while rest and not rest[0].strip():
        rest = rest[1:]
    return "\n".join([*lines[: first.lineno - 1], *rest])


def shapes(net: nn.Module, *inputs: Tensor, depth: int = 1) -> Html:
    """A table of what flows through a net: each module down to `depth`, its output, its parameters.

    Measured by forward hooks in one pass in eval mode; the net's mode is as before afterwards.
    """
    rows: list[tuple[str, str, str, str]] = []
    rows.append(("input", "", ", ".join(_shape(x) for x in inputs), ""))
    chosen = [
        (name, module)
        for name, module in net.named_modules()
        if name and name.count(".") < depth and not isinstance(module, nn.ModuleList)
    ]
    if depth == 1:  # a list of modules is no step of its own: its members are
        for name, module in net.named_children():
            if isinstance(module, nn.ModuleList):
                chosen += [(f"{name}.{i}", member) for i, member in enumerate(module)]
    hooks = [m.register_forward_hook(_note(rows, name)) for name, m in chosen]
    training = net.training
    try:
        with torch.no_grad():
            out = net.eval()(*inputs)
    finally:
        net.train(training)
        for hook in hooks:
            hook.remove()
    total = sum(p.numel() for p in net.parameters())
    rows.append(("output", type(net).__name__, _shape(out), f"{total:,}"))
    return _table(("module", "layers", "output shape", "parameters"), rows)


def _note(rows: list[tuple[str, str, str, str]], name: str) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: object, output: object) -> None:
        count = sum(p.numel() for p in module.parameters())
        rows.append((name, _layers(module), _shape(output), f"{count:,}" if count else ""))

    return hook


def _layers(module: nn.Module) -> str:
    """ "Conv2d, InstanceNorm2d, ReLU" for a Sequential; the class's name for anything else."""
    inner = module.children() if isinstance(module, nn.Sequential) else [module]
    names = [type(m).__name__ for m in inner]
    shown = [f"{n} x{names.count(n)}" if names.count(n) > 1 else n for n in dict.fromkeys(names)]
    return ", ".join(shown)


def _shape(value: object) -> str:
    return " x ".join(map(str, value.shape)) if isinstance(value, Tensor) else type(value).__name__


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Html:
    def line(cells: tuple[str, ...], tag: str) -> str:
        inner = "".join(f'<{tag} style="{_CELL}">{html.escape(c)}</{tag}>' for c in cells)
        return f'<tr style="background:#f6f8fa;color:#1f2328">{inner}</tr>'

    body = line(heads, "th") + "".join(line(row, "td") for row in rows)
    everything = [heads, *rows]
    widths = [max(len(row[i]) for row in everything) for i in range(len(heads))]
    text = "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in everything
    )
    return Html(f'<table style="{_TABLE}">{body}</table>', text)
