// Runs every ring of tests on what was just built. `npm test [-- --ring=<name> ...]`.
import { spawn } from "node:child_process";
import { performance } from "node:perf_hooks";
import { stripVTControlCharacters } from "node:util";
import { endWithParent, StepError, seconds } from "./progress.mjs";
import { RINGS } from "./rings.mjs";
import { setup } from "./setup.mjs";
import { ROOT } from "./toolchain.mjs";

/** @param {string} title */
function heading(title) {
  console.log(`\n── ${title} ${"─".repeat(Math.max(4, 90 - title.length))}`);
}

/**
 * Runs a command, shows what it prints, and counts.
 *
 * @param {import("./rings.mjs").Command} step
 */
async function run(step) {
  const isColored = process.stdout.isTTY === true;
  const child = endWithParent(
    spawn(step.command, step.args, {
      cwd: step.cwd ?? ROOT,
      env: {
        ...process.env,
        CARGO_TERM_COLOR: isColored ? "always" : "never",
        ...(isColored ? { FORCE_COLOR: "1" } : { NO_COLOR: "1" }),
      },
      stdio: ["ignore", "pipe", "pipe"],
    }),
  );
  let output = "";
  /** @param {Buffer} chunk */
  const take = (chunk) => {
    output += chunk;
    process.stdout.write(chunk);
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  const status = await new Promise((resolve) => {
    child.once("error", (error) => {
      console.error(error.message);
      resolve(-1);
    });
    child.once("close", resolve);
  });
  return { isDone: status === 0, ...step.count(stripVTControlCharacters(output), status === 0) };
}

/**
 * Runs rings in order and stops after the first that fails.
 *
 * @param {import("./rings.mjs").Ring[]} rings
 * @returns {Promise<boolean>} Whether all passed.
 */
async function runRings(rings) {
  const lines = [];
  const total = { passed: 0, failed: 0 };
  let failedRing = "";
  for (const ring of rings) {
    heading(`${ring.name}: ${ring.what}`);
    const began = performance.now();
    const sum = { passed: 0, failed: 0 };
    for (const step of ring.commands()) {
      const { isDone, passed, failed } = await run(step);
      sum.passed += passed;
      sum.failed += failed;
      if (isDone && failed === 0) continue;
      failedRing = ring.name;
      break;
    }
    total.passed += sum.passed;
    total.failed += sum.failed;
    const state = failedRing === "" ? "ok" : "FAILED";
    lines.push(
      `  ${ring.name.padEnd(12)} ${state.padEnd(7)} ${String(sum.passed).padStart(5)} passed ${String(sum.failed).padStart(4)} failed   ${seconds(began)}`,
    );
    if (failedRing !== "") break;
  }
  heading("summary");
  console.log(lines.join("\n"));
  for (const ring of rings.slice(lines.length)) console.log(`  ${ring.name.padEnd(12)} not run`);
  if (failedRing !== "") console.log(`\nRing ${failedRing} failed. Again: npm test -- --ring=${failedRing}`);
  console.log(`${total.passed} passed, ${total.failed} failed`);
  return failedRing === "";
}

/** @param {string[]} args */
function chosen(args) {
  if (args.length === 0) return RINGS;
  return args.map((arg) => {
    const ring = RINGS.find(({ name }) => arg === `--ring=${name}`);
    if (ring) return ring;
    throw new StepError(`${arg} is not known. Choose: ${RINGS.map(({ name }) => `--ring=${name}`).join(" ")}`);
  });
}

try {
  const rings = chosen(process.argv.slice(2));
  heading("set-up");
  await setup({ lints: true, servers: rings.some(({ name }) => name === "stores") });
  heading("build");
  // After the set-up: the build needs packages that it installs.
  const { build } = await import("./build.mjs");
  await build();
  if (!(await runRings(rings))) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof StepError)) throw error;
  console.error(error.message);
  console.log("0 passed, 1 failed");
  process.exitCode = 1;
}
