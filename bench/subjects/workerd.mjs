// A database client inside workerd. Arguments: its adapter in bench/clients, and the folder of its bundled Worker.
//
// This process only forwards; CPU is that of workerd itself.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Miniflare } from "miniflare";
import { COMPATIBILITY_DATE } from "../workers/bundle.mjs";
import { answerWith } from "./child.mjs";
import { cpuMsOf, processesUnder } from "./processes.mjs";

const [, folder] = /** @type {[string, string]} */ (process.argv.slice(2));
const files = readdirSync(folder).sort((a, b) => Number(b === "worker.js") - Number(a === "worker.js"));
const miniflare = new Miniflare({
  modules: files.map((file) => ({
    type: file.endsWith(".wasm") ? "CompiledWasm" : "ESModule",
    path: file,
    contents: readFileSync(join(folder, file)),
  })),
  compatibilityDate: COMPATIBILITY_DATE,
  // One of the peers needs it for blobs; all get it, so that all run under the same flags.
  compatibilityFlags: ["nodejs_compat"],
});
const address = await miniflare.ready;
const workerd = processesUnder(process.pid)[0];

/** @param {{ url: string, id: string, budgetMs?: number }} question Without a budget, what the case returns. */
async function answer(question) {
  const cpuBefore = workerd === undefined ? null : cpuMsOf(workerd);
  const began = performance.now();
  const response = await fetch(address, { method: "POST", body: JSON.stringify(question) });
  const text = await response.text();
  const wallMs = performance.now() - began;
  const cpuAfter = workerd === undefined ? null : cpuMsOf(workerd);
  if (!response.ok) throw new Error(`status ${response.status}: ${text.slice(0, 2_000)}`);
  if (question.budgetMs === undefined) return text;
  const cpuMs = cpuBefore === null || cpuAfter === null ? null : cpuAfter - cpuBefore;
  return { runs: JSON.parse(text).runs, wallMs, cpuMs };
}

answerWith(answer, () => miniflare.dispose());
