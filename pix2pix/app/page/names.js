// Names of things, for those who do not see them and for those who do; and keys for the sliders.
// `titles` are headings of messages, by their text.

// the sliders tell of a new value when the pointer is lifted only
document.addEventListener('keyup', event => {
  if (!event.target.closest?.('#controls')) return;
  if (event.target.type === 'range')
    event.target.dispatchEvent(new PointerEvent('pointerup', {bubbles: true}));
  else if (event.key === 'Enter' && event.target.type === 'number') event.target.blur();
});
const ALTS = {
  'before-after': ['The photo as it was', 'The photo in color'],
  models: ['By the smaller model', 'By the model of this page'],
  'unsure-map': ['The photo as it was', 'How sure the colors are'],
  'how-picture': ['Rows of photographs: gray, colored, and the originals'],
};
const set = (thing, name, text) => {
  if (thing && text && thing.getAttribute(name) !== text) thing.setAttribute(name, text);
};
const all = selector => document.querySelectorAll(selector);
const rename = () => {
  for (const [name, texts] of Object.entries(ALTS))
    all(`#${name} img`).forEach((image, i) => set(image, 'alt', texts[i]));
  all('#samples button:has(img)').forEach((sample, i) =>
    set(sample, 'aria-label', `Sample photo ${i + 1}`),
  );
  all('#page .image-container [title="Undo"]').forEach(button => {
    set(button, 'aria-label', 'The whole photo');
    set(button, 'title', 'The whole photo');
  });
  for (const name of ['upload', 'uploads', 'like']) {
    // phones then offer the camera and the album; Gradio's own file_types would refuse files by
    // their names, in words of its own
    set(document.querySelector(`#${name} input[type=file]`), 'accept', 'image/*');
    const words = document.querySelector(`#${name} [data-testid=upload-text]`);
    if (!words) continue; // said as it is seen: the words are the style sheet's
    const seen = getComputedStyle(words, '::after').content.replaceAll('"', '');
    set(words.closest('button'), 'aria-label', seen);
  }
  all('.toast-body.error').forEach(toast => {
    const title = toast.querySelector('.toast-title');
    const last = [...toast.querySelectorAll('.toast-message-text')].at(-1)?.textContent.trim();
    const heading = titles[last] ?? 'Sorry';
    if (title && title.textContent !== heading) title.textContent = heading;
  });
};
new MutationObserver(rename).observe(document.body, {childList: true, subtree: true});
rename();
