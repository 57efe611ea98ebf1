"""Paper: what the pages written here share: one file, no request, light and dark, any width."""

import base64
import html
import io

import numpy as np
from PIL import Image

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light dark; --paper: #fafaf9; --ink: #1c1917; --soft: #57534e;
        --line: #d6d3d1; --accent: #c2410c; --card: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #1c1917; --ink: #f5f5f4; --soft: #a8a29e; --line: #44403c;
          --accent: #fb923c; --card: #292524; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 28px 16px 48px; background: var(--paper);
       color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: clamp(1.3rem, 3.2vw, 1.9rem); font-weight: 600; line-height: 1.2;
     letter-spacing: -.01em; text-wrap: balance; margin: 0 0 8px; }
h2 { font-size: 1.15rem; font-weight: 600; margin: 40px 0 8px; }
p { max-width: 68ch; margin: 8px 0; }
.soft, small { color: var(--soft); }
img { display: block; width: 100%; height: auto; border-radius: 6px; background: var(--line); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
"""
TABLES = """
.scroll { overflow-x: auto; }
.scroll:focus-visible { outline-offset: 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 12px; text-align: right; white-space: nowrap;
         border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td small { display: block; font-size: .8em; }
@media (max-width: 640px) { th, td { padding: 6px 8px; } }
"""


def page(title: str, body: str, *, style: str = "", script: str = "") -> str:
    """A whole HTML document; `title` is escaped, the rest is HTML, CSS and JavaScript as it is.

    Its content security policy forbids every request, should anything in it make one.
    """
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="robots" content="noindex">
<title>{html.escape(title)}</title>
<style>{STYLE}{style}</style>
</head>
<body>
{body}
{f"<script>{script}</script>" if script else ""}
</body>
</html>
"""


def jpeg(rgb: np.ndarray, *, quality: int = 88) -> str:
    """Rgb (H,W,3) uint8 -> a data: address of it as JPEG, color at full resolution."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=quality, subsampling=0, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def laid_out(name: str, head: list[str], lines: list[str]) -> str:
    """A table that scrolls by itself where the window is too narrow."""
    top = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in head)
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{html.escape(name)}"><table>'
        f"<thead><tr>{top}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )
