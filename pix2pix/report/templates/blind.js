'use strict';
const pairs = JSON.parse(document.getElementById('pairs').textContent);
const byId = id => document.getElementById(id);
const answers = []; // per pair: the side that was said to be real

function wilson(hits, n) {
  const z = 1.959964;
  const p = hits / n;
  const middle = p + (z * z) / (2 * n);
  const half = z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  const whole = 1 + (z * z) / n;
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
  if (answers.length < pairs.length) show();
  else finish();
}

function finish() {
  const percent = x => `${(100 * x).toFixed(1)} %`;
  const fooled = pairs.map((pair, i) => answers[i] !== pair.real);
  const hits = fooled.filter(Boolean).length;
  const [low, high] = wilson(hits, pairs.length);
  byId('share').textContent = percent(hits / pairs.length);
  byId('interval').textContent =
    `${hits} of ${pairs.length} colored photos were taken for the real one; ` +
    `95 % interval ${percent(low)} to ${percent(high)} (Wilson). ` +
    'Chance is 50 %.';
  pairs.forEach((pair, i) => {
    const row = byId('list').insertRow();
    row.insertCell().textContent = pair.path;
    row.insertCell().textContent = pair.real;
    const said = row.insertCell();
    said.textContent = fooled[i] ? 'fooled' : 'right';
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
