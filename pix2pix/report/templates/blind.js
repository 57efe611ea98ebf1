'use strict';
const pairs = JSON.parse(document.getElementById('pairs').textContent);
const {percent, wilson} = globalThis;
const byId = id => document.getElementById(id);
const answers = []; // per pair: the side that was said to be real

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
