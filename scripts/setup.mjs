// Makes a machine with Node and rustup ready to build: npm packages, the wasm target, wasm-bindgen.
// Does nothing, quickly, when all is there. Uses nothing but Node itself: it runs before `npm ci`.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { runStep, StepError } from "./progress.mjs";
import {
  cacheDir,
  findWasmBindgen,
  firstLine,
  isAtLeast,
  nodeLeast,
  ROOT,
  rustLeast,
  versionIn,
  WASM_TARGET,
  wasmBindgenRoot,
  wasmBindgenVersion,
} from "./toolchain.mjs";

/** Holds the hash of the lock file that node_modules was installed from. It goes when node_modules goes. */
const LOCK_STAMP = join(ROOT, "node_modules", ".seawall-lock");

/**
 * Prepares the machine.
 *
 * @param {{ quiet?: boolean, lints?: boolean, servers?: boolean }} [options] `quiet` prints only what has to be done;
 *   `lints` wants rustfmt and clippy as well; `servers` wants what tests start besides what npm installs.
 * @throws {StepError} With one sentence on what is missing and how to get it.
 */
export async function setup(options = {}) {
  /** @param {string} name @param {string} state */
  const say = (name, state) => options.quiet || console.log(`  ${name.padEnd(24)} ${state}`);
  checkNode(say);
  checkRust(say);
  await installPackages(say);
  await addTarget(say);
  if (options.lints) await addLints(say);
  await installWasmBindgen(say);
  if (options.servers) await installRedis(say);
}

/** @typedef {(name: string, state: string) => unknown} Say */

/** @param {Say} say */
function checkNode(say) {
  const version = process.versions.node;
  const least = nodeLeast();
  if (!isAtLeast(version, least)) throw new StepError(`Node ${version} is too old: ${least} or newer is needed.`);
  say(`node ${version}`, "ok");
}

/** @param {Say} say */
function checkRust(say) {
  const version = versionIn(firstLine("rustc", ["--version"]));
  const least = rustLeast();
  if (version === undefined) {
    throw new StepError("rustc was not found. Install Rust with rustup: https://rustup.rs");
  }
  if (!isAtLeast(version, least)) {
    throw new StepError(`rustc ${version} is too old: ${least} or newer is needed. Run: rustup update stable`);
  }
  say(`rustc ${version}`, "ok");
  if (process.platform !== "win32" && firstLine("cc", ["--version"]) === undefined) {
    throw new StepError(
      "cc was not found: rustc links with it. Install gcc or clang (Debian: apt install gcc libc6-dev).",
    );
  }
}

/** @param {Say} say */
async function installPackages(say) {
  const wanted = createHash("sha256")
    .update(readFileSync(join(ROOT, "package-lock.json")))
    .digest("hex");
  const found = existsSync(LOCK_STAMP) ? readFileSync(LOCK_STAMP, "utf8") : undefined;
  if (found !== wanted) {
    // npm waits for an answer on a terminal when something is odd; here nobody would see the question.
    await runStep("npm packages", "npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: ROOT });
    writeFileSync(LOCK_STAMP, wanted);
  }
  say("npm packages", "as locked");
}

/** @param {Say} say */
async function addTarget(say) {
  // The folder tells as much as `rustup target list`, and also without rustup.
  const libdir = firstLine("rustc", ["--print", "target-libdir", "--target", WASM_TARGET]);
  if (libdir === undefined || !existsSync(libdir)) {
    if (firstLine("rustup", ["--version"]) === undefined) {
      throw new StepError(`rustup was not found, and rustc has no ${WASM_TARGET}. Install rustup: https://rustup.rs`);
    }
    await runStep(`Rust target ${WASM_TARGET}`, "rustup", ["target", "add", WASM_TARGET], { cwd: ROOT });
  }
  say(WASM_TARGET, "installed");
}

/** @param {Say} say */
async function addLints(say) {
  for (const [component, command] of /** @type {const} */ ([
    ["rustfmt", "fmt"],
    ["clippy", "clippy"],
  ])) {
    if (firstLine("cargo", [command, "--version"]) === undefined) {
      await runStep(component, "rustup", ["component", "add", component], { cwd: ROOT });
    }
    say(component, "installed");
  }
}

/** @param {Say} say */
async function installRedis(say) {
  const found = () => versionIn(firstLine("redis-server", ["--version"])?.replace(/^.*\bv=/, ""));
  if (found() === undefined) {
    const canInstall = process.getuid?.() === 0 && firstLine("apt-get", ["--version"]) !== undefined;
    if (!canInstall) {
      throw new StepError(
        "redis-server was not found: the tests of the stores start one. Install it (Debian: apt install redis-server; macOS: brew install redis).",
      );
    }
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    await runStep("Debian's list of packages", "apt-get", ["update", "-q"], { cwd: ROOT, env });
    const args = ["install", "-y", "-q", "--no-install-recommends", "redis-server"];
    await runStep("redis-server", "apt-get", args, { cwd: ROOT, env });
  }
  say(`redis-server ${found() ?? ""}`, "installed");
}

/** @param {Say} say */
async function installWasmBindgen(say) {
  const version = wasmBindgenVersion();
  if (findWasmBindgen() === undefined) {
    const root = wasmBindgenRoot();
    // A folder of its own, so that an interrupted run goes on where it was.
    const target = join(cacheDir(), "build");
    mkdirSync(target, { recursive: true });
    const args = [
      "wasm-bindgen-cli",
      "--version",
      version,
      "--bin",
      "wasm-bindgen",
      "--root",
      root,
      "--target-dir",
      target,
    ];
    const env = { ...process.env, ...QUICK_PROFILE };
    const title = `wasm-bindgen ${version} (compiled once)`;
    try {
      await runStep(title, "cargo", ["install", "--locked", ...args], { cwd: ROOT, env });
    } catch (error) {
      if (!(error instanceof StepError)) throw error;
      // A mirror of the registry can lack a version that the tool's own lock file names.
      await runStep(`${title}, with the newest dependencies`, "cargo", ["install", ...args], { cwd: ROOT, env });
    }
    rmSync(target, { recursive: true, force: true });
  }
  const path = findWasmBindgen();
  if (path === undefined) throw new StepError(`wasm-bindgen ${version} was compiled but does not run.`);
  say(`wasm-bindgen ${version}`, path.replace(homedir() + sep, `~${sep}`));
}

/** Unoptimized, the tool compiles three times as fast and runs for a tenth of a second. */
const QUICK_PROFILE = {
  CARGO_PROFILE_RELEASE_OPT_LEVEL: "0",
  CARGO_PROFILE_RELEASE_LTO: "off",
  CARGO_PROFILE_RELEASE_DEBUG: "0",
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await setup({ servers: true });
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
