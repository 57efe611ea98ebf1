// The panel for touching up: a canvas to paint on, by mouse, finger and keys. `element`, `props` and
// `trigger` come from gr.HTML, and what is painted is its value, as JSON. "input" asks for the
// picture, "click" for likely colors, "submit" for the download.

const MOST = 300; // points in all
const APART = 0.015; // of the longer side, between points of a stroke
const PAUSE = 1500; // [ms] without a touch until the download is written
const panel = element.closest('#touch-up');
const find = name => panel.querySelector(name);
const canvas = find('canvas');
const pen = canvas.getContext('2d');
const own = find('input[type=color]');
const likely = find('#likely');
const was = find('.was');
const pick = find('.pick');
const pictures = {}; // before, after
let [marks, past] = [[], []];
let [stroke, cross, asked] = [null, null, null];
let [turn, timer] = [0, 0];
let unsaved = false;
let photo = '';

// --- what is seen ---
const draw = () => {
  const picture = was.ariaPressed === 'true' ? pictures.before : pictures.after;
  const frame = find('.frame');
  if (!picture || !frame.clientWidth) return;
  const most = Math.min(620, 0.68 * innerHeight);
  const scale = Math.min(frame.clientWidth / picture.naturalWidth, most / picture.naturalHeight);
  const [width, height] = [picture.naturalWidth * scale, picture.naturalHeight * scale];
  const dense = devicePixelRatio || 1;
  [canvas.style.width, canvas.style.height] = [`${width}px`, `${height}px`];
  [canvas.width, canvas.height] = [Math.round(width * dense), Math.round(height * dense)];
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  pen.lineCap = pen.lineJoin = 'round';
  for (const mark of stroke ? [...marks, stroke] : marks) {
    for (const [color, wide] of [
      ['white', 2],
      [mark.color, 0],
    ]) {
      pen.beginPath();
      const [x, y] = mark.points[0];
      pen.moveTo(x * canvas.width, y * canvas.height + 0.01); // a point alone is no line
      for (const [nextX, nextY] of mark.points)
        pen.lineTo(nextX * canvas.width, nextY * canvas.height);
      pen.strokeStyle = color;
      pen.lineWidth = ((mark.points.length > 1 ? 3 : 9) + wide) * dense;
      pen.stroke();
    }
  }
  if (cross) {
    const [x, y] = [cross[0] * canvas.width, cross[1] * canvas.height];
    for (const [color, wide] of [
      ['black', 4],
      ['white', 2],
    ]) {
      pen.beginPath();
      pen.moveTo(x - 9 * dense, y);
      pen.lineTo(x + 9 * dense, y);
      pen.moveTo(x, y - 9 * dense);
      pen.lineTo(x, y + 9 * dense);
      pen.strokeStyle = color;
      pen.lineWidth = wide * dense;
      pen.stroke();
    }
  }
};
const say = text => {
  find('.status').textContent = text;
};
const refresh = () => {
  find('.undo').disabled = !past.length;
  find('.clear').disabled = !marks.length;
  draw();
};
const press = (button, on) => {
  button.ariaPressed = String(on);
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
const change = (next, dot = null) => {
  past.push(marks);
  marks = next;
  send(dot);
};
const send = (dot = null) => {
  clearTimeout(timer);
  unsaved = true;
  asked = null;
  likely.hidden = true;
  refresh();
  tell();
  say('Coloring ...');
  trigger('input');
  if (dot) {
    asked = {dot, turn};
    trigger('click');
  }
};
const sample = ([x, y]) => {
  const picture = was.ariaPressed === 'true' ? pictures.before : pictures.after;
  const [left, top] = [x * picture.naturalWidth, y * picture.naturalHeight].map(Math.floor);
  const one = new OffscreenCanvas(1, 1).getContext('2d');
  one.drawImage(picture, left - 1, top - 1, 3, 3, 0, 0, 1, 1);
  const levels = [...one.getImageData(0, 0, 1, 1).data].slice(0, 3);
  own.value = '#' + levels.map(level => level.toString(16).padStart(2, '0')).join('');
  press(pick, false);
  own.focus();
};
const put = point => {
  if (pick.ariaPressed === 'true') return sample(point);
  const dot = {color: own.value, points: [point]};
  change([...marks, dot], dot);
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
  stroke = {color: own.value, points: [place(event)]};
  draw();
});
canvas.addEventListener('pointermove', event => {
  if (!stroke || !event.isPrimary || pick.ariaPressed === 'true') return;
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
  else change([...marks, done]);
});
canvas.addEventListener('pointercancel', drop);

// --- by keys ---
const undo = () => {
  if (past.length) {
    marks = past.pop();
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
  } else if (event.key === 'z' && (event.ctrlKey || event.metaKey)) undo();
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
  if (marks.length) change([]);
});
find('.done').addEventListener('click', () => {
  save();
  open(false);
  document.querySelector('#ask-touch').focus();
});
for (const button of [was, pick])
  button.addEventListener('click', () => {
    press(button, button.ariaPressed !== 'true');
    draw();
  });
panel.querySelectorAll('.quick').forEach(button =>
  button.addEventListener('click', () => {
    own.value = button.dataset.color;
    press(pick, false);
  }),
);
likely.addEventListener('click', event => {
  const color = event.target.closest('button')?.dataset.color;
  const at = asked ? marks.indexOf(asked.dot) : -1;
  if (!color || at < 0) return;
  own.value = color;
  const offered = {...asked, dot: {...asked.dot, color}};
  change(marks.with(at, offered.dot));
  asked = offered; // another one may be chosen
  likely.hidden = false;
});
document.addEventListener('touch-up', () => open(!document.body.hasAttribute('data-touching')));

// --- what comes back ---
document.addEventListener('touch-failed', () => say(''));
new MutationObserver(() => {
  const answered = Number(likely.querySelector('[data-turn]')?.dataset.turn);
  if (asked && answered === asked.turn) likely.hidden = false;
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
      say('');
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
    [marks, past, stroke, asked, unsaved] = [[], [], null, null, false];
    clearTimeout(timer);
    likely.hidden = true;
    press(was, false);
    press(pick, false);
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
