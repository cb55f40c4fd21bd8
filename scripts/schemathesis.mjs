// Ten minutes of Schemathesis over the OpenAPI document, against the deployable Worker in workerd.
//
//   npm run schemathesis                               the exit status is 0 only if there is no 5xx and nothing breaks its schema
//   npm run schemathesis -- --seconds=60 --seed=7      shorter, and other examples
import { parseArgs } from "node:util";
import { program } from "./program.mjs";
import { StepError } from "./progress.mjs";

const EXAMPLES = 10_000;

function chosen() {
  try {
    const options = /** @type {const} */ ({
      seconds: { type: "string", default: "600" },
      seed: { type: "string", default: String(Date.now() % 1e9) },
    });
    const { values } = parseArgs({ options });
    const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
    if (seconds >= 1 && Number.isSafeInteger(seed)) return { seconds, seed };
  } catch {}
  throw new StepError("Use: npm run schemathesis [-- --seconds=<s>] [--seed=<number>]");
}

await program(
  chosen,
  async (bounds) => {
    const { schemathesis, startOpenWorker } = await import("../tests/support/schemathesis.mjs");
    const worker = await startOpenWorker();
    try {
      const { code, output, error } = await schemathesis(worker, { ...bounds, examples: EXAMPLES });
      console.log(output + error);
      return code === 0;
    } finally {
      await worker.rig.stop();
    }
  },
  ["worker"],
);
