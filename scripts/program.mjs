// What the programs on real servers have in common: set-up and build first, and one exit status for all promises.
import { StepError } from "./progress.mjs";
import { setup } from "./setup.mjs";

/**
 * Sets up, builds and runs. The exit status is 0 only if `run` resolves with true.
 *
 * @template T
 * @param {() => T} chosen What the command line says. Throws {@link StepError} before anything is built.
 * @param {(options: T) => Promise<boolean>} run
 * @param {readonly import("./build.mjs").Part[]} [parts] What is built; everything by default.
 */
export async function program(chosen, run, parts) {
  try {
    const options = chosen();
    console.log("Set-up");
    await setup();
    console.log("Build");
    const { build } = await import("./build.mjs");
    await build(parts);
    if (!(await run(options))) process.exitCode = 1;
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
