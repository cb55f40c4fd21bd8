// An engine of flags in a process of its own. Arguments: its name, and what is timed; `load` and `cold` are once in a process.
import { casesOf, ENGINES, loaded } from "../flags/engines.mjs";
import { keysOf, users } from "../flags/workload.mjs";
import { answerWith } from "./child.mjs";

const [name, what] = /** @type {[string, string]} */ (process.argv.slice(2));

/** From what a store holds to flags that can be asked, and on to the first answer if that is wanted. @param {boolean} isAsked */
async function coldTurn(isAsked) {
  const { stored, loader } = /** @type {import("../flags/engines.mjs").Kind} */ (ENGINES[name]);
  // What the parent gave is what a store would have: another process made it, so that nothing here is warm.
  const given = process.env.STORED_FLAGS === undefined ? await stored() : await readStored(process.env.STORED_FLAGS);
  const load = await loader();
  const cpu = process.cpuUsage();
  const began = performance.now();
  const engine = await load(given);
  if (isAsked)
    await engine.isOn(engine.scope(/** @type {(typeof users)[number]} */ (users[0])), keysOf("boolean")[0] ?? "");
  const wallMs = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  return { runs: 1, wallMs, cpuMs: (user + system) / 1_000 };
}

/** @param {string} path */
async function readStored(path) {
  const { readFile } = await import("node:fs/promises");
  return path.endsWith(".json") ? readFile(path, "utf8") : new Uint8Array(await readFile(path));
}

/** @type {((turn: number) => number | Promise<number>) | undefined} */
let run;
let turn = 0;

/** @param {{ budgetMs: number }} question */
async function answer({ budgetMs }) {
  if (what === "cold" || what === "load") return coldTurn(what === "cold");
  run ??= casesOf(await loaded(name))[what];
  if (run === undefined) throw new Error(`there is nothing called ${what}`);
  const cpu = process.cpuUsage();
  const began = performance.now();
  let runs = 0;
  do {
    const found = run(turn);
    runs += typeof found === "number" ? found : await found;
    turn += 1;
  } while (performance.now() - began < budgetMs);
  const wallMs = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  return { runs, wallMs, cpuMs: (user + system) / 1_000 };
}

answerWith(answer);
