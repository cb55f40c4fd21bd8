// Runs one long command and shows that it is alive: elapsed time and the last line it printed.
import { spawn } from "node:child_process";
import { performance } from "node:perf_hooks";
import { stripVTControlCharacters } from "node:util";

const TICK_MS = 100;
/** Without a terminal, a sign of life this often, in milliseconds. */
const PLAIN_TICK_MS = 10_000;
/** Lines of a failed command's output that are shown. */
const TAIL_LINES = 60;
const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/** A command that could not be run or that failed. The message is fit to be shown alone. */
export class StepError extends Error {}

/** @type {Set<import("node:child_process").ChildProcess>} */
const children = new Set();
let watchesExit = false;

/**
 * Ends a child process when this one ends, whatever ends it.
 *
 * @template {import("node:child_process").ChildProcess} C
 * @param {C} child
 * @returns {C}
 */
export function endWithParent(child) {
  if (!watchesExit) {
    watchesExit = true;
    process.on("exit", () => {
      for (const each of children) each.kill("SIGTERM");
    });
    for (const [signal, code] of /** @type {const} */ ([
      ["SIGINT", 130],
      ["SIGTERM", 143],
      ["SIGHUP", 129],
    ])) {
      // A command with a shutdown of its own listens too, and then decides when to leave.
      process.on(signal, () => process.listenerCount(signal) === 1 && process.exit(code));
    }
  }
  children.add(child);
  child.once("exit", () => children.delete(child));
  child.once("error", () => children.delete(child));
  return child;
}

/** @param {number} sinceMs */
export function seconds(sinceMs) {
  const passed = (performance.now() - sinceMs) / 1_000;
  return passed < 10 ? `${passed.toFixed(1)} s` : `${Math.round(passed)} s`;
}

/**
 * Runs a command and resolves with what it printed.
 *
 * @param {string} title What is being done, as a noun phrase.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, quiet?: boolean }} [options] `quiet` shows nothing unless it fails.
 * @returns {Promise<string>}
 * @throws {StepError} With the end of its output when the command fails.
 */
export async function runStep(title, command, args, options = {}) {
  const began = performance.now();
  const display = options.quiet ? undefined : show(title, began);
  const lines = /** @type {string[]} */ ([]);
  let partial = "";
  let output = "";
  const child = endWithParent(
    spawn(command, args, { cwd: options.cwd, env: options.env ?? process.env, stdio: ["ignore", "pipe", "pipe"] }),
  );
  /** @param {Buffer} chunk */
  const take = (chunk) => {
    output += chunk;
    const parts = (partial + chunk).split(/\r?\n|\r/);
    partial = parts.pop() ?? "";
    for (const line of parts) {
      if (line.trim() === "") continue;
      lines.push(line);
      if (lines.length > TAIL_LINES) lines.shift();
      display?.say(line);
    }
  };
  child.stdout?.on("data", take);
  child.stderr?.on("data", take);
  /** @type {number | string} */
  const status = await new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(code ?? signal ?? "no status"));
  });
  if (partial.trim() !== "") lines.push(partial);
  display?.end(status === 0);
  if (status !== 0) {
    const shown = [command, ...args].join(" ");
    throw new StepError(`${title} failed (${status}).\n$ ${shown}\n${lines.join("\n")}`);
  }
  return output;
}

/** @param {string} title @param {number} began */
function show(title, began) {
  let last = "";
  const terminal = process.stdout.isTTY;
  let frame = 0;
  const draw = () => {
    frame = (frame + 1) % FRAMES.length;
    const line = `${FRAMES[frame]} ${title}  ${seconds(began)}  ${stripVTControlCharacters(last).trim()}`;
    process.stdout.write(`\r\x1b[2K${line.slice(0, (process.stdout.columns ?? 80) - 1)}`);
  };
  if (!terminal) console.log(`  ${title} ...`);
  const timer = setInterval(
    () => (terminal ? draw() : console.log(`    ${seconds(began)}  ${stripVTControlCharacters(last).trim()}`)),
    terminal ? TICK_MS : PLAIN_TICK_MS,
  );
  timer.unref();
  return {
    /** @param {string} line */
    say(line) {
      last = line;
    },
    /** @param {boolean} isDone */
    end(isDone) {
      clearInterval(timer);
      const line = `${isDone ? "✓" : "✗"} ${title}  ${seconds(began)}`;
      process.stdout.write(terminal ? `\r\x1b[2K${line}\n` : `  ${line}\n`);
    },
  };
}
