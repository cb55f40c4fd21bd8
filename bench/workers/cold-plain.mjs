// A cold isolate's first answer with nothing but `fetch`: the same question to the same server.

const BODY = JSON.stringify({
  requests: [{ type: "execute", stmt: { sql: "SELECT 1 AS one", want_rows: true } }, { type: "close" }],
});

export default {
  /** @param {Request} request */
  async fetch(request) {
    const headers = { "content-type": "application/json" };
    const url = `${request.headers.get("x-database")}/v3/pipeline`;
    const answer = await (await fetch(url, { method: "POST", headers, body: BODY })).json();
    return new Response(answer.results[0].response.result.rows[0][0].value);
  },
};
