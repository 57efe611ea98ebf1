// Scroll to the element `#name` where it is not in sight, once its pictures give it its height.
const pictures = () => [...document.querySelectorAll(`#${name} img`)];
for (let i = 0; i < 30 && !pictures().length; i += 1) await new Promise(go => setTimeout(go, 100)); // until they are on the page
await Promise.all(pictures().map(each => each.decode().catch(() => {})));
document.querySelector(`#${name}`)?.scrollIntoView({block: 'nearest'}); // a glide may be cut short
