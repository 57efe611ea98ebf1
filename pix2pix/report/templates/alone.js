'use strict';
const photos = JSON.parse(document.getElementById('photos').textContent);
const {percent, wilson} = globalThis;
const byId = id => document.getElementById(id);
const answers = []; // per photo: "real" or "colored"

function show() {
  const at = answers.length;
  byId('picture').src = photos[at].picture;
  byId('count').textContent = `Photo ${at + 1} of ${photos.length}`;
  byId('done').value = at;
}

function answer(said) {
  if (answers.length === photos.length) return;
  answers.push(said);
  if (answers.length < photos.length) show();
  else finish();
}

function taken(kind) {
  const said = answers.filter((_, i) => photos[i].is === kind);
  return [said.filter(one => one === 'real').length, said.length];
}

function sentence(kind, [hits, n]) {
  if (n === 0) return `None of the photos was ${kind}.`;
  const [low, high] = wilson(hits, n);
  return (
    `${hits} of ${n} ${kind} photos were taken for real; ` +
    `95 % interval ${percent(low)} to ${percent(high)} (Wilson).`
  );
}

function finish() {
  const [hits, n] = taken('colored');
  byId('share').textContent = n ? percent(hits / n) : '';
  byId('ours').textContent = sentence('colored', [hits, n]);
  byId('real').textContent = sentence('real', taken('real'));
  photos.forEach((photo, i) => {
    const row = byId('list').insertRow();
    row.insertCell().textContent = photo.path;
    row.insertCell().textContent = photo.is;
    const said = row.insertCell();
    said.textContent = answers[i];
    if (answers[i] !== photo.is) said.className = 'fooled';
  });
  byId('test').hidden = true;
  byId('results').hidden = false;
  byId('results').focus();
}

byId('is-real').addEventListener('click', () => answer('real'));
byId('is-colored').addEventListener('click', () => answer('colored'));
byId('again').addEventListener('click', () => location.reload());
document.addEventListener('keydown', event => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === 'ArrowLeft') answer('real');
  else if (event.key === 'ArrowRight') answer('colored');
  else return;
  event.preventDefault();
});
show();
