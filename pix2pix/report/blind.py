"""Blind test: a page that shows a real photo beside ours, and asks which is real.

One HTML file with the pictures in it; it counts, asks no server, and keeps nothing.
"""

import html
import json

import numpy as np
from PIL import Image

from pix2pix.errors import DataError
from pix2pix.evaluate.curves import ColorizerLike
from pix2pix.evaluate.photos import find_photos, read_photos
from pix2pix.evaluate.result import Skipped
from pix2pix.incolor import in_color
from pix2pix.report.paper import jpeg, page
from pix2pix.terminal import escape

_SIDE = 560  # [px], the longer side of what is shown

_STYLE = """
#pair { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; }
#pair figure { margin: 0; min-width: 0; }
#pair img { max-height: 56vh; object-fit: contain; background: none; }
button { font: inherit; width: 100%; padding: 12px 8px; margin-top: 12px; border-radius: 10px;
         border: 1px solid var(--line); background: var(--card); color: var(--ink);
         cursor: pointer; }
button:hover { border-color: var(--accent); }
progress { width: 100%; height: 6px; accent-color: var(--accent); margin: 12px 0; }
kbd { font: .85em ui-monospace, monospace; border: 1px solid var(--line); border-radius: 4px;
      padding: 0 5px; }
#results { outline: none; }
.big { font-size: 2.4rem; font-weight: 600; line-height: 1.2; margin: 16px 0 0;
       font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin-top: 16px; }
th, td { padding: 6px 12px 6px 0; text-align: left; border-bottom: 1px solid var(--line);
         overflow-wrap: anywhere; }
.fooled { color: var(--accent); }
[hidden] { display: none !important; }
"""

_SCRIPT = """
'use strict';
const pairs = JSON.parse(document.getElementById('pairs').textContent);
const byId = id => document.getElementById(id);
const answers = [];  // per pair: the side that was said to be real

function wilson(hits, n) {
  const z = 1.959964, p = hits / n, middle = p + z * z / (2 * n);
  const half = z * Math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)), whole = 1 + z * z / n;
  return [Math.max(0, (middle - half) / whole), Math.min(1, (middle + half) / whole)];
}

function show() {
  const at = answers.length;
  byId('left').src = pairs[at].left;
  byId('right').src = pairs[at].right;
  byId('count').textContent = `Pair ${at + 1} of ${pairs.length}`;
  byId('done').value = at;
}

function answer(side) {
  if (answers.length === pairs.length) return;
  answers.push(side);
  if (answers.length < pairs.length) show(); else finish();
}

function finish() {
  const percent = x => `${(100 * x).toFixed(1)} %`;
  const fooled = pairs.map((pair, i) => answers[i] !== pair.real);
  const hits = fooled.filter(Boolean).length, [low, high] = wilson(hits, pairs.length);
  byId('share').textContent = percent(hits / pairs.length);
  byId('interval').textContent =
    `${hits} of ${pairs.length} colored photos were taken for the real one; ` +
    `95 % interval ${percent(low)} to ${percent(high)} (Wilson). ` +
    'Who cannot tell them apart is fooled by 50 %.';
  pairs.forEach((pair, i) => {
    const row = byId('list').insertRow();
    row.insertCell().textContent = pair.path;
    row.insertCell().textContent = pair.real;
    const said = row.insertCell();
    said.textContent = fooled[i] ? 'fooled' : 'told apart';
    if (fooled[i]) said.className = 'fooled';
  });
  byId('test').hidden = true;
  byId('results').hidden = false;
  byId('results').focus();
}

byId('is-left').addEventListener('click', () => answer('left'));
byId('is-right').addEventListener('click', () => answer('right'));
byId('again').addEventListener('click', () => location.reload());
document.addEventListener('keydown', event => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === 'ArrowLeft') answer('left');
  else if (event.key === 'ArrowRight') answer('right');
  else return;
  event.preventDefault();
});
show();
"""

_BODY = """
<h1>Which photo has its real colors?</h1>
<main id="test">
<p class="soft">The other one was gray, and {model} colored it. Answer with the buttons, or with
<kbd>&larr;</kbd> and <kbd>&rarr;</kbd>. This page holds your photos and sends nothing anywhere.</p>
<p id="count" aria-live="polite"></p>
<progress id="done" max="{count}" value="0" aria-labelledby="count"></progress>
<div id="pair">
<figure><img id="left" alt="The photo on the left">
<button id="is-left" type="button">Left is real</button></figure>
<figure><img id="right" alt="The photo on the right">
<button id="is-right" type="button">Right is real</button></figure>
</div>
</main>
<main id="results" tabindex="-1" aria-labelledby="heading" hidden>
<h2 id="heading">Share fooled</h2>
<p id="share" class="big"></p>
<p id="interval"></p>
<div class="scroll"><table><thead><tr><th scope="col">photo</th><th scope="col">real was</th>
<th scope="col">you were</th></tr></thead><tbody id="list"></tbody></table></div>
<button id="again" type="button">Once more</button>
</main>
<script type="application/json" id="pairs">{pairs}</script>
"""


def build_blind_test(
    folder: str, colorizer: ColorizerLike, skipped: list[Skipped], *, seed: int = 0
) -> str:
    """Color every photo under a folder, and ask which of the two is real -> an HTML document.

    `seed` decides the order and which side is real. Photos are shrunk to 560 pixels, and both go
    through the same JPEG. Those that cannot be read, and those that are gray or toned, are named in
    `skipped`. Raises DataError when none is left.
    """
    rng = np.random.default_rng(seed)
    pairs = []
    for path, rgb in read_photos(find_photos(folder), skipped):
        real = _shrunk(rgb)
        if not in_color(real):
            reason = "a gray or toned photo has no real colors to tell"
            skipped.append({"path": str(path), "code": "gray", "reason": reason})
            continue
        pictures = {"real": jpeg(real), "ours": jpeg(colorizer.rgb(real))}
        left, right = ("real", "ours") if rng.random() < 0.5 else ("ours", "real")
        pairs.append(
            {
                "path": escape(str(path.relative_to(folder))),
                "left": pictures[left],
                "right": pictures[right],
                "real": "left" if left == "real" else "right",
            }
        )
    if not pairs:
        raise DataError(f"{folder} holds no color photo to ask about ({len(skipped)} left out)")
    ordered = [pairs[i] for i in rng.permutation(len(pairs))]
    data = json.dumps(ordered).replace("<", "\\u003c")  # a path must not end the script
    body = _BODY.format(model=html.escape(colorizer.name), count=len(pairs), pairs=data)
    return page("Which photo is real?", body, style=_STYLE, script=_SCRIPT)


def _shrunk(rgb: np.ndarray) -> np.ndarray:
    image = Image.fromarray(rgb)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    return np.array(image)
