"""How the page looks: theme and style sheet. LOOK is what the server of the page needs."""

from typing import Any

import gradio as gr

from pix2pix.page.refusal_script import REFUSALS
from pix2pix.page.script import ON_LOAD

_CSS = """
footer { display: none !important; }
.gradio-container .fillable { padding: 0 !important; }
#page { max-width: 1080px; margin: 0 auto; gap: 16px; padding: 28px 16px; }
#title h1 { font-size: clamp(1.3rem, 3.2vw, 1.9rem); font-weight: 600; letter-spacing: -.01em;
            text-align: center; text-wrap: balance; margin: 0 0 8px; }
#title span { white-space: nowrap; }
#before-after, #upload { border-radius: 14px; }
#controls > * { align-self: stretch; }
#upload { height: min(54vh, 460px) !important; border-color: var(--neutral-400) !important; }
#page:has(#before-after img) #upload { height: 64px !important; }
#page:has(#before-after img) #upload .icon-wrap { display: none; }
#upload button { height: 100% !important; }
#page [data-testid=upload-text] { font-size: 0; }
#page [data-testid=upload-text] > .or { display: none; }
#upload [data-testid=upload-text]::after { content: "Drop, paste or choose a photo";
                                           font-size: 1.05rem; }
#uploads [data-testid=upload-text]::after { content: "Drop, paste or choose your photos";
                                            font-size: 1.05rem; }
#many-note { text-align: center; text-wrap: balance; }
#samples .label { justify-content: center; }
#samples .label svg { display: none; }
#samples .gallery { justify-content: center; }
#samples img { width: 96px; height: 96px; max-width: none; object-fit: cover; }
@media (max-width: 640px) { #samples .gallery { max-width: 324px; margin: 0 auto; } }
#note { text-align: center; text-wrap: balance; opacity: .65; }
#page .generating { border-color: transparent; animation: none; }
/* the message says it all; what was there before stays in sight */
#page [data-testid=status-tracker]:has(.error) { display: none; }
#camera { align-self: center; min-width: 180px; max-width: 240px; }
#page:has(#before-after img) #camera { display: none; }
#camera-dialog { border: 0; border-radius: 14px; padding: 12px; max-width: min(92vw, 760px);
                 background: var(--body-background-fill); color: var(--body-text-color); }
#camera-dialog::backdrop { background: rgb(0 0 0 / .6); }
#camera-dialog video { width: 100%; max-height: 70vh; border-radius: 8px; background: black; }
#camera-dialog form { display: flex; gap: 8px; justify-content: center; margin-top: 8px; }
#camera-dialog button { padding: 8px 18px; border-radius: 8px; border: 1px solid; }
#page .tab-container { justify-content: center; }
body:not(.dark) #page [role=tab][aria-selected=true] { color: var(--primary-700); }
#ask-more { justify-content: center; }
#ask-more button { flex: 1 1 220px; max-width: 360px; }
#compared, #unsure, #how-picture { gap: 8px; }
#compared .prose { text-align: center; }
#takes, #takes .gallery-container, #takes .grid-wrap { min-height: 0 !important; }
#takes, #takes .gallery-container, #takes .grid-wrap { height: auto !important; max-height: none; }
#uploads { border-radius: 14px; min-height: min(40vh, 300px);
           border-color: var(--neutral-400) !important; }
#progress progress { width: 100%; accent-color: var(--primary-500); }
#progress table { width: 100%; text-align: left; margin-top: 8px; }
#progress th, #progress td { padding: 4px 12px 4px 0; vertical-align: top;
                             overflow-wrap: anywhere; }
#before-after :focus-visible, #models :focus-visible, #unsure-map :focus-visible {
  outline: 3px solid var(--primary-500); }
body:not([data-touching]) #touch-up, body[data-touching] #before-after { display: none !important; }
#touch-up { gap: 8px; }
#touch-up .html-container { padding: 0; }
#touch-photo .how, #unsure-legend p { text-align: center; text-wrap: balance; margin: 0; }
#touch-photo .frame { position: relative; display: flex; justify-content: center;
                      margin-top: 8px; }
#touch-photo .status { position: absolute; bottom: 10px; margin: 0; padding: 2px 12px;
                       border-radius: 12px; background: rgb(0 0 0 / .6); color: white; }
#touch-photo .status:empty { display: none; }
#touch-photo canvas { border-radius: 14px; cursor: crosshair; touch-action: pinch-zoom;
                user-select: none; -webkit-user-select: none; }
#touch .colors, #touch .tools, #likely [data-turn], #unsure-legend {
  display: flex; flex-wrap: wrap; gap: 8px; justify-content: center; align-items: center; }
#touch .tools { margin-top: 10px; }
#likely { min-height: 42px; }
#touch button, #likely button, #touch .own {
  display: flex; gap: 8px; align-items: center; min-height: 40px; padding: 4px 14px;
  border: 1px solid var(--border-color-primary); border-radius: 8px; cursor: pointer;
  background: var(--button-secondary-background-fill); color: var(--body-text-color); }
#touch button:disabled { opacity: .4; cursor: default; }
#touch button[aria-pressed=true] { outline: 2px solid var(--primary-500); }
#touch .done { background: var(--button-primary-background-fill);
               color: var(--button-primary-text-color); border-color: transparent; }
#touch .quick { width: 40px; min-width: 40px; padding: 0; border-radius: 50%; }
#touch .own { font-weight: 600; padding: 4px 14px 4px 6px; }
#touch .own input { width: 44px; height: 30px; padding: 0; border: 0; background: none;
                    cursor: pointer; }
#touch-up :focus-visible { outline: 3px solid var(--primary-500);
                                                outline-offset: 2px; }
#likely[hidden] { display: block !important; visibility: hidden; }
#likely button { padding: 4px 12px 4px 6px; }
#likely button span { width: 30px; height: 30px; border-radius: 6px; }
#unsure-legend .bar { flex: 1 1 80px; max-width: 240px; height: 14px; border-radius: 7px; }
#unsure-legend p { flex-basis: 100%; }
#about { max-width: 720px; margin: 0 auto; }
"""

LOOK: dict[str, Any] = {
    "theme": gr.themes.Default(
        primary_hue="orange",
        neutral_hue="stone",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    ).set(  # white on the paler orange has a contrast of 2.8
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
    ),
    "css": _CSS,
    "js": ON_LOAD,
    "head": REFUSALS,
}
"""Theme, style sheet and script, for `launch` or `gr.mount_gradio_app`."""
