// Slides too tall for the screen shrink; arrows, space, Home and End turn the pages.
const sections = [...document.querySelectorAll('section')];
const fit = () => {
  for (const {firstElementChild: slide} of sections) {
    slide.style.zoom = 1;
    slide.style.zoom = Math.min(1, (0.94 * innerHeight) / slide.scrollHeight);
  }
};
const turn = by => {
  const here = Math.round(scrollY / innerHeight);
  const there = Math.max(0, Math.min(sections.length - 1, here + by));
  sections[there].scrollIntoView();
  history.replaceState(null, '', `#${there + 1}`);
};
const keys = {
  ArrowRight: 1,
  ArrowDown: 1,
  PageDown: 1,
  ' ': 1,
  ArrowLeft: -1,
  ArrowUp: -1,
  PageUp: -1,
};
addEventListener('keydown', event => {
  const by = {...keys, Home: -sections.length, End: sections.length}[event.key];
  if (!by || event.target.matches('input') || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  turn(by);
});
addEventListener('resize', fit);
addEventListener('load', fit);
