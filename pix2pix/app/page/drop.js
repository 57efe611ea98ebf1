// A photo may be dropped or pasted anywhere: it goes into the file field of the upload in sight, the
// one way that sends the file's bytes as they are. Several at once go to the tab for many.

const LATEST = 10000; // [ms] that a photo waits for its field, which is away while one is sent
let given = null;
let [until, timer] = [0, 0];
const inSight = () =>
  ['upload', 'uploads'].find(name => document.querySelector(`#${name}`)?.offsetParent);
const tell = text => {
  document.querySelector('#told')?.remove();
  const note = document.createElement('p');
  note.id = 'told';
  note.role = 'status';
  document.body.append(note);
  note.textContent = text; // once it is there, so that it is read out
  setTimeout(() => note.remove(), 6000);
};
const put = () => {
  clearTimeout(timer);
  const name = inSight();
  const input = name && document.querySelector(`#${name} input[type=file]`);
  if (input && (input.multiple || given.length === 1)) {
    const taken = new DataTransfer();
    for (const file of given) taken.items.add(file);
    given = null;
    input.files = taken.files;
    input.dispatchEvent(new Event('change'));
  } else if (Date.now() < until) timer = setTimeout(put, 100);
  else {
    given = null;
    tell('One moment, please: the photos before are still on their way.');
  }
};
const take = (event, files) => {
  if (!files?.length) return;
  event.preventDefault(); // else the browser leaves the page for the file
  event.stopPropagation();
  given = [...files];
  until = Date.now() + LATEST;
  if (given.length > 1 && inSight() !== 'uploads') {
    document.querySelector('#many-button')?.click();
    tell(`${given.length} photos: they are colored here, one after the other.`);
  }
  put();
};
document.addEventListener('dragover', event => event.preventDefault(), true);
document.addEventListener('drop', event => take(event, event.dataTransfer?.files), true);
document.addEventListener('paste', event => take(event, event.clipboardData?.files), true);
