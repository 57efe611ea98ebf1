// Leaving the page asks first, while something is painted that was not taken home.

let taken = '';
const shown = () => document.querySelectorAll('#before-after img')[1]?.src ?? '';
document.addEventListener(
  'click',
  event => {
    if (event.target.closest?.('#download')) taken = shown();
  },
  true,
);
window.addEventListener('beforeunload', event => {
  const painted = document.querySelector('#touch .clear')?.disabled === false;
  if (painted && shown() !== taken) event.preventDefault();
});
