"""What the page says when the server refuses an upload: its sentence, not HTTP and a number.

Gradio shows what its call of the server throws, and makes `HTTP 507: {...}` of every refusal. Here
the call throws the sentence.
"""

import json

from pix2pix.page.words import BUSY, MESSAGES

# by the code of the refusal, else by its status where the answer has none
_WORDS = {
    "busy": BUSY,
    "too_large": MESSAGES["too_large"],
    "413": MESSAGES["too_large"],
    "no_space": "There is no room for more photos right now. Try again in an hour.",
    "timeout": "The photo took too long to arrive. Try again.",
    "": "The photo could not be sent. Try again.",
}

REFUSALS = """<script>(() => {
  const words = WORDS;
  const plain = window.fetch;
  window.fetch = async (what, how) => {
    const answer = await plain.call(window, what, how);
    if (answer.ok || how?.method !== 'POST') return answer;
    if (!new URL(what.url ?? what, location.href).pathname.endsWith('/gradio_api/upload'))
      return answer;
    const {code} = await answer.json().catch(() => ({}));
    const told = words[code] ?? words[answer.status] ?? words[''];
    return {ok: true, status: 200, json: async () => { throw new Error(told); }};
  };
})()</script>""".replace("WORDS", json.dumps(_WORDS))
"""For the head of the page."""
