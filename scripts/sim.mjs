// `npm run sim`: a fleet of real engines through an outage. See docs/decisions/0011-simulator.md.
//
//   npm run sim                            the table of docs/simulation.md, on the terminal; half an hour
//   npm run sim -- --quick                 100 and 1,000 isolates: seconds
//   npm run sim -- --isolates=10000 --policy=cells,cells-near --seed=7
//   npm run sim -- --json                  the same rows as JSON on stdout, progress on stderr
//   npm run sim -- --write                 writes docs/simulation.md and docs/simulation.svg
import { spawn } from "node:child_process";
import { join } from "node:path";
import { endWithParent, runStep, StepError } from "./progress.mjs";
import { firstLine, ROOT } from "./toolchain.mjs";

const words = process.argv.slice(2);
const BUILD = ["build", "--release", "--example", "sim"];

try {
  // Rows in JSON have stdout for themselves.
  await runStep("compiling the simulator", "cargo", BUILD, { cwd: ROOT, quiet: words.includes("--json") });
  const metadata = firstLine("cargo", ["metadata", "--no-deps", "--offline", "--format-version", "1"]);
  if (metadata === undefined) throw new StepError("cargo metadata failed");
  const name = process.platform === "win32" ? "sim.exe" : "sim";
  const program = join(JSON.parse(metadata).target_directory, "release", "examples", name);
  const child = endWithParent(spawn(program, words, { cwd: ROOT, stdio: "inherit" }));
  process.exitCode = await new Promise((resolve) => {
    child.once("error", (error) => {
      console.error(error.message);
      resolve(1);
    });
    child.once("close", (code) => resolve(code ?? 1));
  });
} catch (error) {
  if (!(error instanceof StepError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
