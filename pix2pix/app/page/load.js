// As the page opens: drop and paste anywhere, keys, names of things.

// A photo may be dropped or pasted anywhere: it goes into the file field of the upload in sight, the
// one way that sends the file's bytes as they are.
const visible = name => document.querySelector(`#${name}`)?.offsetParent;
const field = () => {
  const name = ['upload', 'uploads'].find(visible);
  return name && document.querySelector(`#${name} input[type=file]`);
};
const take = (event, files) => {
  if (!files || !files.length) return;
  event.preventDefault(); // else the browser leaves the page for the file
  event.stopPropagation();
  const input = field();
  if (!input) return; // one is on its way
  const taken = new DataTransfer();
  for (const file of input.multiple ? files : [files[0]]) taken.items.add(file);
  input.files = taken.files;
  input.dispatchEvent(new Event('change'));
};
document.addEventListener('dragover', event => event.preventDefault(), true);
document.addEventListener('drop', event => take(event, event.dataTransfer?.files), true);
document.addEventListener('paste', event => take(event, event.clipboardData?.files), true);
// phones then offer the camera and the gallery; Gradio's own file_types would refuse files by
// their names, in words of its own
const choose = () => {
  const input = field();
  if (input) input.accept = 'image/*';
};
document.addEventListener('click', choose, true);
// the slider tells of a new value when the pointer is lifted only
document.addEventListener('keyup', event => {
  if (!event.target.closest?.('#saturation, #temperature')) return;
  if (event.target.type === 'range')
    event.target.dispatchEvent(new PointerEvent('pointerup', {bubbles: true}));
  else if (event.key === 'Enter') event.target.blur();
});
// the samples come a little later than this runs
const name_samples = patience => {
  const samples = document.querySelectorAll('#samples button:has(img)');
  samples.forEach((sample, i) => {
    sample.ariaLabel = `Sample photo ${i + 1}`;
  });
  if (!samples.length && patience) setTimeout(name_samples, 200, patience - 1);
};
name_samples(100);
// the handle between before and after moves by mouse and finger only: give it keys and a name
const slide = (handle, share) => {
  const frame = handle.parentElement.getBoundingClientRect();
  const at =
    handle.querySelector('.inner')?.getBoundingClientRect() ?? handle.getBoundingClientRect();
  const tell = (kind, x, target) =>
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
  tell('mousedown', from, handle);
  tell('mousemove', from + share * frame.width, window);
  tell('mouseup', from + share * frame.width, window);
};
new MutationObserver(() => {
  const sliders = ['before-after', 'models', 'unsure-map'].map(name => `#${name} .outer`);
  document.querySelectorAll(sliders.join()).forEach(handle => {
    if (handle.tabIndex === 0) return;
    handle.tabIndex = 0;
    handle.setAttribute('role', 'slider');
    handle.ariaLabel = 'Compare before and after: left and right arrow keys';
    handle.ariaValueNow = '50';
    handle.addEventListener('keydown', event => {
      const share = {ArrowLeft: -0.05, ArrowRight: 0.05}[event.key];
      if (!share) return;
      event.preventDefault();
      slide(handle, share);
      const now = Math.min(100, Math.max(0, Number(handle.ariaValueNow) + 100 * share));
      handle.ariaValueNow = String(Math.round(now));
    });
  });
  const alts = {
    'before-after': ['The photo as it was', 'The photo in color'],
    models: ["The course's model", 'The model of this page'],
    'unsure-map': ['The photo as it was', 'How sure the colors are'],
    'how-picture': ['Rows of photographs: gray, colored, and the originals'],
  };
  for (const [name, texts] of Object.entries(alts))
    document.querySelectorAll(`#${name} img`).forEach((image, i) => {
      if (image.alt !== texts[i] && texts[i]) image.alt = texts[i];
    });
}).observe(document.body, {childList: true, subtree: true});
