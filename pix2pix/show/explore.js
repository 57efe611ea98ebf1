// Sliders for a sheet of frames, where no kernel draws. Without this the whole sheet is seen.
for (const box of document.querySelectorAll('.pix2pix-frames:not([data-on])')) {
  const {sheet, frame, places, sliders} = JSON.parse(box.dataset.frames);
  const [view, image] = [box.firstElementChild, box.querySelector('img')];
  box.dataset.on = '';
  view.style.cssText = `overflow:hidden;max-width:100%;width:${frame[0]}px;aspect-ratio:${frame[0]}/${frame[1]}`;
  image.style.cssText = `display:block;margin:0;border:0;padding:0;max-width:none;width:${(100 * sheet[0]) / frame[0]}%`;
  const rows = sliders.map(({name, values, first, start}) => {
    const row = document.createElement('label');
    row.style.cssText = 'display:flex;gap:8px;align-items:center';
    row.innerHTML = '<span></span><input type="range" min="0"><output></output>';
    const [text, input, output] = row.children;
    Object.assign(input, {max: values.length - 1, value: start});
    text.textContent = name;
    const turn = () => {
      const [x, y] = places[first + Number(input.value)];
      output.textContent = values[input.value];
      image.style.transform = `translate(${(-100 * x) / sheet[0]}%,${(-100 * y) / sheet[1]}%)`;
    };
    const reset = () => {
      input.value = start;
      turn();
    };
    input.oninput = () => {
      for (const other of rows) if (other.row !== row) other.reset();
      turn();
    };
    return {row, reset};
  });
  view.before(...rows.map(({row}) => row));
  for (const {reset} of rows.toReversed()) reset();
}
