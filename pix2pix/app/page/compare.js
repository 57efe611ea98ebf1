// The handle between two pictures: keys, a sweep when color comes, and a press that shows the gray.

const SWEEP = 1200; // [ms]
const PRESS = 200; // [ms] from which on it is no tap
const CLOSE = 10; // [px] that a finger which rests may move

// --- by keys: Gradio's handle moves by mouse and finger only ---
const move = (handle, share) => {
  const frame = handle.parentElement.getBoundingClientRect();
  const at = (handle.querySelector('.inner') ?? handle).getBoundingClientRect();
  const say = (kind, x, target) =>
    target.dispatchEvent(
      new MouseEvent(kind, {
        bubbles: true,
        cancelable: true,
        view: window,
        clientX: x,
        clientY: at.y + at.height / 2,
      }),
    );
  const from = at.x + at.width / 2;
  say('mousedown', from, handle);
  say('mousemove', from + share * frame.width, window);
  say('mouseup', from + share * frame.width, window);
};
const takesKeys = handle => {
  if (handle.tabIndex === 0) return;
  handle.tabIndex = 0;
  handle.setAttribute('role', 'slider');
  handle.ariaLabel = 'Compare before and after: left and right arrow keys';
  handle.ariaValueNow = handle.closest('#before-after') ? '30' : '50';
  handle.addEventListener('keydown', event => {
    const share = {ArrowLeft: -0.05, ArrowRight: 0.05}[event.key];
    if (!share) return;
    event.preventDefault();
    move(handle, share);
    const now = Math.min(100, Math.max(0, Number(handle.ariaValueNow) + 100 * share));
    handle.ariaValueNow = String(Math.round(now));
  });
};

// --- the sweep: once a photo, from all gray to where the handle stands ---
let swept = '';
let moving = [];
const stop = () => {
  moving.forEach(each => each.cancel());
  moving = [];
};
const sweep = async () => {
  const [before, after] = document.querySelectorAll('#before-after img');
  if (!after || before.src === swept) return;
  swept = before.src;
  stop();
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  await Promise.all([before.decode(), after.decode()]).catch(() => {});
  const box = after.getBoundingClientRect();
  if (!box.width || before.src !== swept) return;
  const scale = Math.min(box.width / after.naturalWidth, box.height / after.naturalHeight);
  const right = (box.width + scale * after.naturalWidth) / 2; // of what is seen in its box
  const how = {duration: SWEEP, easing: 'cubic-bezier(0.3, 0, 0.2, 1)'};
  const clip = `inset(0px 0px 0px ${(100 * right) / box.width}%)`;
  const handle = document.querySelector('#before-after .outer');
  moving = [
    after.animate([{clipPath: clip, offset: 0}], how),
    handle.animate([{transform: `translateX(${right}px)`, offset: 0}], how),
  ];
};

// --- a press on the picture shows the gray photo ---
let pressed = null;
const release = () => {
  clearTimeout(pressed?.timer);
  pressed = null;
  document.body.removeAttribute('data-gray');
};
const pictures = event => event.target.closest?.('#before-after .slider-wrap');
document.addEventListener(
  'pointerdown',
  event => {
    if (!pictures(event)) return;
    stop();
    release();
    if (!event.isPrimary || event.button || event.target.closest('.outer')) return;
    const timer = setTimeout(() => document.body.setAttribute('data-gray', ''), PRESS);
    pressed = {timer, x: event.clientX, y: event.clientY};
  },
  true,
);
document.addEventListener('pointermove', event => {
  if (!pressed) return;
  if (Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) > CLOSE) release();
});
document.addEventListener('pointerup', release);
document.addEventListener('pointercancel', release);
document.addEventListener('contextmenu', event => {
  if (pressed && pictures(event)) event.preventDefault(); // a long press of a finger asks for it
});

const find = () => {
  const sliders = ['before-after', 'models', 'unsure-map'].map(name => `#${name} .outer`);
  document.querySelectorAll(sliders.join()).forEach(takesKeys);
  sweep();
};
new MutationObserver(find).observe(document.body, {
  childList: true,
  subtree: true,
  attributes: true,
  attributeFilter: ['src'],
});
