// The panel for touching up: a canvas to paint on, by mouse, finger and keys. `element`, `props` and
// `trigger` come from gr.HTML, and what is painted is its value, as JSON. "input" asks for the
// picture, "click" for likely colors, "submit" for the download.

const MOST = 300; // points in all
const APART = 0.015; // of the longer side, between points of a stroke
const PAUSE = 1500; // [ms] without a touch until the download is written
const NEAR = 24; // [px] from a dot or a stroke, within which it is erased
const panel = element.closest('#touch-up');
const find = name => panel.querySelector(name);
const canvas = find('canvas');
const pen = canvas.getContext('2d');
const own = find('input[type=color]');
const likely = find('#likely');
const was = find('.was');
const pick = find('.pick');
const erase = find('.erase');
const pictures = {}; // before, after
let [marks, past] = [[], []];
let [stroke, cross, asked, chosen] = [null, null, null, null]; // chosen: the last dot or stroke
let taken = marks; // what the last download holds
let color = ''; // to paint with, "" until one is chosen
let [bare, under] = [null, marks]; // a dot or stroke that waits for its color; the others
let [turn, timer] = [0, 0];
let unsaved = false;
let photo = '';

// --- what is seen ---
const draw = () => {
  const picture = was.ariaPressed === 'true' ? pictures.before : pictures.after;
  const frame = find('.frame');
  if (!picture || !frame.clientWidth) return;
  const most = Math.min(620, (innerWidth > 640 ? 0.68 : 0.52) * innerHeight);
  const scale = Math.min(frame.clientWidth / picture.naturalWidth, most / picture.naturalHeight);
  const [width, height] = [picture.naturalWidth * scale, picture.naturalHeight * scale];
  const dense = devicePixelRatio || 1;
  [canvas.style.width, canvas.style.height] = [`${width}px`, `${height}px`];
  [canvas.width, canvas.height] = [Math.round(width * dense), Math.round(height * dense)];
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  pen.lineCap = pen.lineJoin = 'round';
  for (const mark of stroke ? [...marks, stroke] : marks) {
    for (const [ink, wide] of [
      ['white', mark === bare ? 5 : 2],
      [mark.color, 0],
    ]) {
      pen.beginPath();
      const [x, y] = mark.points[0];
      pen.moveTo(x * canvas.width, y * canvas.height + 0.01); // a point alone is no line
      for (const [nextX, nextY] of mark.points)
        pen.lineTo(nextX * canvas.width, nextY * canvas.height);
      pen.strokeStyle = ink;
      pen.lineWidth = ((mark.points.length > 1 ? 3 : mark === chosen ? 13 : 9) + wide) * dense;
      pen.stroke();
    }
  }
  if (cross) {
    const [x, y] = [cross[0] * canvas.width, cross[1] * canvas.height];
    for (const [ink, wide] of [
      ['black', 4],
      ['white', 2],
    ]) {
      pen.beginPath();
      pen.moveTo(x - 9 * dense, y);
      pen.lineTo(x + 9 * dense, y);
      pen.moveTo(x, y - 9 * dense);
      pen.lineTo(x, y + 9 * dense);
      pen.strokeStyle = ink;
      pen.lineWidth = wide * dense;
      pen.stroke();
    }
  }
};
const say = text => {
  find('.status').textContent = text;
};
const refresh = () => {
  find('.undo').disabled = !past.length && !bare;
  find('.clear').disabled = !marks.length;
  draw();
};
const press = (button, on) => {
  if (button.ariaPressed !== String(on)) button.ariaPressed = String(on);
};
const ring = () => {
  find('.own').toggleAttribute('data-chosen', Boolean(color));
  panel
    .querySelectorAll('[data-color]')
    .forEach(button => press(button, button.dataset.color === color));
};
const open = on => {
  document.body.toggleAttribute('data-touching', on);
  if (!on) return;
  draw();
  panel.scrollIntoView({block: 'nearest'});
  canvas.focus({preventScroll: true});
};

// --- what is painted ---
const tell = () => {
  const count = marks.reduce((sum, mark) => sum + mark.points.length, 0);
  const every = Math.max(1, Math.ceil(count / MOST));
  const hints = marks.flatMap(mark =>
    mark.points
      .filter((_, i) => i % every === 0)
      .map(([x, y]) => `${x.toFixed(4)},${y.toFixed(4)},${mark.color}`),
  );
  turn += 1;
  props.value = JSON.stringify({photo, turn, hints: hints.slice(-MOST)});
};
const save = () => {
  clearTimeout(timer);
  if (unsaved) {
    unsaved = false;
    trigger('submit');
  }
};
const change = (next, mark = null, ask = false) => {
  past.push(marks);
  marks = next;
  chosen = mark;
  send(ask ? mark : null);
};
const send = (dot = null) => {
  clearTimeout(timer);
  unsaved = true;
  likely.hidden = true;
  refresh();
  tell();
  say('Coloring ...');
  trigger('input');
  offer(dot);
};
const offer = dot => {
  asked = dot && {dot, turn};
  if (dot) trigger('click');
};
// the first dot or stroke takes the color that is there: nothing changes until one is chosen
const ask = mark => {
  if (!bare) under = marks;
  marks = [...under, mark];
  bare = chosen = mark;
  likely.hidden = true;
  refresh();
  tell();
  say('Now pick its color');
  offer(mark.points.length === 1 ? mark : null);
};
const forget = () => {
  if (!bare) return;
  marks = under;
  bare = chosen = asked = null;
  likely.hidden = true;
  refresh();
  tell();
  say('');
};
const seen = ([x, y]) => {
  const picture = was.ariaPressed === 'true' ? pictures.before : pictures.after;
  const [left, top] = [x * picture.naturalWidth, y * picture.naturalHeight].map(Math.floor);
  const one = new OffscreenCanvas(1, 1).getContext('2d');
  one.drawImage(picture, left - 1, top - 1, 3, 3, 0, 0, 1, 1);
  const levels = [...one.getImageData(0, 0, 1, 1).data].slice(0, 3);
  return '#' + levels.map(level => level.toString(16).padStart(2, '0')).join('');
};
const sample = point => {
  use(seen(point));
  own.focus();
};
// the color to paint with, and that of the dot or stroke that was painted last
const use = value => {
  own.value = color = value;
  ring();
  press(pick, false);
  press(erase, false);
  const at = marks.indexOf(chosen);
  if (at < 0 || (chosen.color === color && chosen !== bare)) return;
  const recolored = {...chosen, color};
  const offers = asked && !likely.hidden;
  const all = marks.with(at, recolored);
  if (bare) marks = under; // it was not painted yet
  bare = null;
  change(all, recolored);
  if (!offers) return;
  asked = {dot: recolored, turn}; // another one may be chosen
  likely.hidden = false;
};
// [px] from a point to a mark, which is a chain of lines
const distance = (point, {points}) => {
  const box = canvas.getBoundingClientRect();
  const [x, y] = [point[0] * box.width, point[1] * box.height];
  const ends = points.map(([a, b]) => [a * box.width, b * box.height]);
  return Math.min(
    ...ends.map(([x1, y1], i) => {
      const [x2, y2] = ends[i + 1] ?? [x1, y1];
      const [dx, dy] = [x2 - x1, y2 - y1];
      const along = ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1);
      const share = Math.min(Math.max(along, 0), 1);
      return Math.hypot(x - x1 - share * dx, y - y1 - share * dy);
    }),
  );
};
const remove = point => {
  forget();
  const nearest = marks.toSorted((a, b) => distance(point, a) - distance(point, b))[0];
  if (!nearest || distance(point, nearest) > NEAR) return say('Nothing to erase here');
  change(marks.filter(mark => mark !== nearest));
};
const put = point => {
  if (erase.ariaPressed === 'true') return remove(point);
  if (pick.ariaPressed === 'true') return sample(point);
  paint({color, points: [point]});
};
const paint = mark => {
  if (color) change([...marks, mark], mark, mark.points.length === 1);
  else ask({...mark, color: seen(mark.points[0])});
};

// --- by mouse and finger ---
const place = event => {
  const box = canvas.getBoundingClientRect();
  const inside = share => Math.min(Math.max(share, 0), 0.9999);
  const [x, y] = [event.clientX - box.x, event.clientY - box.y];
  return [inside(x / box.width), inside(y / box.height)];
};
const drop = () => {
  stroke = null;
  draw();
};
canvas.addEventListener('pointerdown', event => {
  if (!event.isPrimary) return drop(); // two fingers enlarge the page
  if (event.button || !photo) return;
  event.preventDefault();
  canvas.focus({preventScroll: true});
  cross = null;
  canvas.setPointerCapture(event.pointerId);
  stroke = {color: color || 'black', points: [place(event)]};
  draw();
});
canvas.addEventListener('pointermove', event => {
  if (!stroke || !event.isPrimary) return;
  if (pick.ariaPressed === 'true' || erase.ariaPressed === 'true') return;
  const longer = Math.max(canvas.width, canvas.height);
  for (const each of event.getCoalescedEvents?.() ?? [event]) {
    const [[x, y], last] = [place(each), stroke.points.at(-1)];
    const far = Math.hypot((x - last[0]) * canvas.width, (y - last[1]) * canvas.height) / longer;
    if (far >= APART) stroke.points.push([x, y]);
  }
  draw();
});
canvas.addEventListener('pointerup', event => {
  if (!stroke || !event.isPrimary) return;
  const done = stroke;
  stroke = null;
  if (done.points.length === 1) put(done.points[0]);
  else paint(done);
});
canvas.addEventListener('pointercancel', drop);

// --- by keys ---
const undo = () => {
  if (bare) return forget();
  if (past.length) {
    marks = past.pop();
    chosen = null;
    send();
  }
};
canvas.addEventListener('keydown', event => {
  const step = event.shiftKey ? 0.005 : 0.02;
  const ways = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
  const way = ways[event.key];
  if (way) {
    const from = cross ?? [0.5, 0.5];
    cross = from.map((share, i) => Math.min(Math.max(share + step * way[i], 0), 0.9999));
    draw();
  } else if (event.key === 'Enter' || event.key === ' ') {
    cross ??= [0.5, 0.5];
    put(cross);
  } else if (event.key === 'Delete' || event.key === 'Backspace') remove(cross ?? [0.5, 0.5]);
  else if (event.key === 'z' && (event.ctrlKey || event.metaKey)) undo();
  else return;
  event.preventDefault();
});
canvas.addEventListener('blur', () => {
  cross = null;
  draw();
});

// --- the buttons ---
find('.undo').addEventListener('click', undo);
find('.clear').addEventListener('click', () => {
  forget();
  if (marks.length) change([]);
});
const finish = () => {
  forget();
  save();
  open(false);
  document.querySelector('#ask-touch').focus();
};
find('.done').addEventListener('click', finish);
document.addEventListener('keydown', event => {
  if (event.key !== 'Escape' || !document.body.hasAttribute('data-touching')) return;
  drop();
  finish();
});
for (const button of [was, pick, erase])
  button.addEventListener('click', () => {
    press(button, button.ariaPressed !== 'true');
    if (button === pick) press(erase, false);
    if (button === erase) press(pick, false);
    draw();
  });
own.addEventListener('change', () => use(own.value));
panel
  .querySelectorAll('.quick')
  .forEach(button => button.addEventListener('click', () => use(button.dataset.color)));
likely.addEventListener('click', event => {
  const offered = event.target.closest('button')?.dataset.color;
  if (offered) use(offered);
});
document.querySelector('#page').addEventListener('click', event => {
  if (event.target.closest('#download')) taken = marks;
});
addEventListener('beforeunload', event => {
  if (marks.length && marks !== taken) event.preventDefault();
});
document.addEventListener('touch-up', () => open(!document.body.hasAttribute('data-touching')));

// --- what comes back ---
document.addEventListener('touch-failed', () => say(''));
new MutationObserver(() => {
  const answered = Number(likely.querySelector('[data-turn]')?.dataset.turn);
  if (asked && answered === asked.turn) likely.hidden = false;
  ring();
}).observe(likely, {
  childList: true,
  subtree: true,
  attributes: true,
  attributeFilter: ['data-turn'],
});
const show = (name, source) => {
  const picture = new Image();
  pictures[name + 'Source'] = source;
  picture.onload = () => {
    if (pictures[name + 'Source'] !== source) return;
    pictures[name] = picture;
    if (name === 'after') {
      if (!bare) say('');
      clearTimeout(timer);
      timer = setTimeout(save, PAUSE);
    }
    draw();
  };
  picture.src = source;
};
const look = () => {
  const [before, after] = [...document.querySelectorAll('#before-after img')].map(i => i.src);
  if (before && before !== photo) {
    // the next photo
    photo = before;
    [marks, past, stroke, asked, chosen, bare, unsaved] = [[], [], null, null, null, null, false];
    clearTimeout(timer);
    likely.hidden = true;
    press(was, false);
    press(pick, false);
    press(erase, false);
    say('');
    open(false);
    show('before', before);
    refresh();
  }
  if (after && after !== pictures.afterSource) show('after', after);
};
new MutationObserver(look).observe(document.querySelector('#page'), {
  childList: true,
  subtree: true,
  attributes: true,
  attributeFilter: ['src'],
});
new ResizeObserver(draw).observe(find('.frame'));
look();
