// Shows Seawall at work: a real libSQL server, real Workers, and keys to break and mend the database.
//
//   npm run demo                     by hand
//   npm run demo -- --script         tells the story once; the exit status is 0 only if each act happened
//   npm run demo -- --break=slow     kill (the default of the story), slow or 503
import { parseArgs } from "node:util";
import { StepError } from "./progress.mjs";
import { setup } from "./setup.mjs";

const SIGNALS = /** @type {const} */ ([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
]);

function chosen() {
  try {
    const { values } = parseArgs({
      options: { script: { type: "boolean", default: false }, break: { type: "string" } },
    });
    return values;
  } catch (error) {
    throw new StepError(
      `${/** @type {Error} */ (error).message}\nUse: npm run demo [-- --script] [--break=kill|slow|503]`,
    );
  }
}

async function main() {
  const options = chosen();
  console.log("Set-up");
  await setup();
  console.log("Build");
  // After the set-up: these need packages that it installs.
  const [{ build }, { BREAKS, startWorld }, { tellStory }, { showStage }] = await Promise.all([
    import("./build.mjs"),
    import("./demo/world.mjs"),
    import("./demo/story.mjs"),
    import("./demo/stage.mjs"),
  ]);
  const how = BREAKS.find((name) => name === options.break);
  if (options.break !== undefined && how === undefined) {
    throw new StepError(`--break=${options.break} is not known. Choose: ${BREAKS.join(", ")}`);
  }
  await build();
  console.log("Start");
  // Leaving is enough: the server, workerd and their folders go when this process goes.
  for (const [signal, status] of SIGNALS) process.on(signal, () => process.exit(status));
  const world = await startWorld();
  try {
    if (options.script) process.exitCode = (await tellStory(world, how ?? "kill")) ? 0 : 1;
    else await showStage(world, how);
  } finally {
    await world.stop();
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof StepError ? error.message : error);
  process.exitCode = 1;
}
