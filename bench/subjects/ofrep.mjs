// A monitor with 1,000 flags that is asked for all of them. Argument: `all`, or `unchanged` for whoever has the answer already.
import { createMonitor } from "../../js/dist/monitor/index.js";
import { FLAGS, seawallDocument, users } from "../flags/workload.mjs";
import { answerWith } from "./child.mjs";

const [what] = /** @type {["all" | "unchanged"]} */ (process.argv.slice(2));

/** A database that nobody asks here. */
const primary = { seawall: { status: () => ({}), healthCheck: async () => true } };
const ofrep = { public: true, requestsPerMinute: 1_000_000 };
const flags = { definitions: seawallDocument(), env: {}, ofrep };
const monitor = createMonitor(/** @type {any} */ ({ databases: { primary }, flags }));

/** One request, read to its end. @param {number} turn @param {string} [tag] */
async function asked(turn, tag) {
  const headers = { "content-type": "application/json", ...(tag !== undefined && { "if-none-match": tag }) };
  const body = JSON.stringify({ context: users[turn % users.length] });
  const url = "http://127.0.0.1/ofrep/v1/evaluate/flags";
  const response = await monitor.handle(new Request(url, { method: "POST", headers, body }));
  const text = await response.text();
  if (response.status !== (tag === undefined ? 200 : 304)) throw new Error(`${response.status}: ${text.slice(0, 400)}`);
  return { text, tag: response.headers.get("etag") ?? "" };
}

/** What each user has by now: its own answer's tag. @type {string[]} */
const tags = [];
for (const turn of users.keys()) {
  const { text, tag } = await asked(turn);
  const found = JSON.parse(text).flags;
  if (found.length !== FLAGS || found.some((/** @type {object} */ flag) => "errorCode" in flag)) {
    throw new Error(`not all flags were evaluated: ${text.slice(0, 400)}`);
  }
  tags.push(tag);
}
if (new Set(tags).size < 2) throw new Error("everybody has the same");

let turn = 0;

/** @param {{ budgetMs: number }} question */
async function answer({ budgetMs }) {
  const cpu = process.cpuUsage();
  const began = performance.now();
  let runs = 0;
  do {
    await asked(turn, what === "unchanged" ? tags[turn % users.length] : undefined);
    turn += 1;
    runs += 1;
  } while (performance.now() - began < budgetMs);
  const wallMs = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  return { runs, wallMs, cpuMs: (user + system) / 1_000 };
}

answerWith(answer);
