// A guard around a resolved async function, in Node. Arguments: its file in bench/guards, and the variant.
import { answerWith } from "./child.mjs";

/** Calls between two looks at the clock. */
const CHUNK = 1_000;

const [name, variant] = /** @type {[string, string]} */ (process.argv.slice(2));
const { variants } = await import(`../guards/${name}.mjs`);
/** @type {() => unknown} */
const call = await variants[variant]();
const loops = { "refusal-value": asValues, refusal: asErrors };
const loop = loops[/** @type {keyof typeof loops} */ (variant)] ?? asResults;

async function asResults() {
  for (let i = 0; i < CHUNK; i += 1) if ((await call()) !== 1) throw new Error("another result");
}

async function asErrors() {
  for (let i = 0; i < CHUNK; i += 1) {
    let isRefused = false;
    try {
      await call();
    } catch {
      isRefused = true;
    }
    if (!isRefused) throw new Error("not refused");
  }
}

async function asValues() {
  for (let i = 0; i < CHUNK; i += 1) {
    if (/** @type {{ refused?: boolean }} */ (call()).refused !== true) throw new Error("not refused");
  }
}

/** @param {{ budgetMs: number }} question */
async function answer({ budgetMs }) {
  const cpu = process.cpuUsage();
  const began = performance.now();
  let runs = 0;
  do {
    await loop();
    runs += CHUNK;
  } while (performance.now() - began < budgetMs);
  const wallMs = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  return { runs, wallMs, cpuMs: (user + system) / 1_000 };
}

answerWith(answer);
