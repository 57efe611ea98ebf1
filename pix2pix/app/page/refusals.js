// What the page says when the server refuses an upload: its sentence, not HTTP and a number.
// Gradio shows what its call of the server throws, and makes `HTTP 507: {...}` of every refusal.
// Here the call throws the sentence. `words` are the sentences, by code or status of the answer.
const plain = window.fetch;
window.fetch = async (what, how) => {
  const answer = await plain.call(window, what, how);
  if (answer.ok || how?.method !== 'POST') return answer;
  if (!new URL(what.url ?? what, location.href).pathname.endsWith('/gradio_api/upload'))
    return answer;
  const {code} = await answer.json().catch(() => ({}));
  const told = words[code] ?? words[answer.status] ?? words[''];
  return {
    ok: true,
    status: 200,
    json: async () => {
      throw new Error(told);
    },
  };
};
