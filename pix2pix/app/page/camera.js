// A dialog with the camera's picture; the photo taken goes where a chosen one would.

const dialog = document.createElement('dialog');
dialog.id = 'camera-dialog';
dialog.ariaLabel = 'Camera';
dialog.innerHTML =
  '<video autoplay playsinline muted></video><p role="alert"></p>' +
  '<form method="dialog"><button value="take">Take the photo</button>' +
  '<button value="">Cancel</button></form>';
const [video, text, take] = ['video', 'p', 'button'].map(name => dialog.querySelector(name));
let stream = null;
const put = blob => {
  const input = document.querySelector('#upload input[type=file]');
  if (!blob || !input) return;
  const taken = new DataTransfer();
  taken.items.add(new File([blob], 'camera.png', {type: 'image/png'}));
  input.files = taken.files;
  input.dispatchEvent(new Event('change'));
};
dialog.addEventListener('close', () => {
  if (dialog.returnValue === 'take' && video.videoWidth) {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext('2d').drawImage(video, 0, 0);
    canvas.toBlob(put, 'image/png');
  }
  stream?.getTracks().forEach(track => track.stop());
  dialog.remove();
});
document.body.append(dialog);
dialog.showModal();
try {
  stream = await navigator.mediaDevices.getUserMedia({
    video: {facingMode: 'environment', width: {ideal: 1920}, height: {ideal: 1080}},
  });
  if (dialog.open) video.srcObject = stream;
  else stream.getTracks().forEach(track => track.stop());
} catch {
  text.textContent = 'There is no camera that this page may use.';
  video.remove();
  take.remove();
}
