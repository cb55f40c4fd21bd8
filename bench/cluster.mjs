// What a call through a cluster costs beside the same call of a plain client: processor time, with a `fetch` that answers at
// once. `node bench/cluster.mjs`, after `npm run build`.
import { createClient } from "../js/dist/index.js";

const ROUNDS = 9;
const CALLS = 4_000;
const ANSWER = JSON.stringify({
  baton: null,
  base_url: null,
  results: [
    {
      type: "ok",
      response: {
        type: "execute",
        result: {
          cols: [{ name: "n", decltype: null }],
          rows: [[{ type: "integer", value: "1" }]],
          affected_row_count: 0,
        },
      },
    },
    { type: "ok", response: { type: "close" } },
  ],
});
const HEADERS = { headers: { "content-type": "application/json" } };
const fetch = async () => new Response(ANSWER, HEADERS);

/** @param {number} others */
function client(others) {
  const replicas = Array.from({ length: others }, (_, place) => ({ url: `https://replica-${place}` }));
  return createClient({ url: "https://primary", fetch, seawall: { replicas } });
}

const alone = client(1);
await alone.seawall.removeDatabase("replica-1");
const subjects = /** @type {const} */ ([
  ["plain client", client(0)],
  ["cluster of 1", alone],
  ["cluster of 3", client(2)],
]);

/** Microseconds of processor time for one call. @param {ReturnType<typeof client>} db */
async function turn(db) {
  const before = process.cpuUsage();
  for (let call = 0; call < CALLS; call += 1) await db.execute("SELECT 1");
  const { user, system } = process.cpuUsage(before);
  return (user + system) / CALLS;
}

/** @type {Map<string, number[]>} */
const scores = new Map(subjects.map(([name]) => [name, []]));
for (const [, db] of subjects) await turn(db);
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [name, db] of subjects) scores.get(name)?.push(await turn(db));
}
for (const [name, times] of scores) {
  const sorted = times.sort((a, b) => a - b);
  console.log(`${name}: median ${sorted[ROUNDS >> 1]?.toFixed(2)} µs, least ${sorted[0]?.toFixed(2)} µs`);
}
