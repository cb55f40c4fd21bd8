// What the machine must have and what is added to it: versions, places, and how each tool is found.
import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Root of the repository. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
export const WASM_TARGET = "wasm32-unknown-unknown";

/** Where compiled tools are kept between clones. They can be removed at any time. */
export function cacheDir() {
  const base = process.env.XDG_CACHE_HOME;
  return join(base !== undefined && base !== "" ? base : join(homedir(), ".cache"), "seawall");
}

/**
 * First line that a command prints, or undefined when it cannot be run.
 *
 * @param {string} command @param {string[]} args
 */
export function firstLine(command, args) {
  try {
    return execFileSync(command, args, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).split(
      "\n",
      1,
    )[0];
  } catch {
    return undefined;
  }
}

/** The first version number in a text. @param {string | undefined} text */
export function versionIn(text) {
  return text?.match(/\d+\.\d+\.\d+/)?.[0];
}

/** Whether `version` is `least` or newer. @param {string} version @param {string} least */
export function isAtLeast(version, least) {
  const [have, want] = [version, least].map((text) => text.split(".").map(Number));
  for (let index = 0; index < 3; index += 1) {
    const difference = (have?.[index] ?? 0) - (want?.[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** The oldest Node that package.json allows. */
export function nodeLeast() {
  const { engines } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  return `${engines.node.replace(">=", "")}.0`;
}

/** The oldest Rust that Cargo.toml allows. */
export function rustLeast() {
  const version = readFileSync(join(ROOT, "Cargo.toml"), "utf8").match(/^rust-version = "([\d.]+)"/m)?.[1];
  if (version === undefined) throw new Error("Cargo.toml names no rust-version");
  return `${version}.0`.split(".").slice(0, 3).join(".");
}

/** The version of wasm-bindgen in Cargo.lock; its command line must be of exactly this one. */
export function wasmBindgenVersion() {
  const version = readFileSync(join(ROOT, "Cargo.lock"), "utf8").match(
    /\[\[package\]\]\nname = "wasm-bindgen"\nversion = "([\d.]+)"/,
  )?.[1];
  if (version === undefined) throw new Error("Cargo.lock holds no wasm-bindgen");
  return version;
}

/** Where setup puts wasm-bindgen. */
export function wasmBindgenRoot() {
  return join(cacheDir(), `wasm-bindgen-${wasmBindgenVersion()}`);
}

/** Path of a wasm-bindgen of the right version: from PATH, else from the cache; undefined when there is none. */
export function findWasmBindgen() {
  const version = wasmBindgenVersion();
  const name = process.platform === "win32" ? "wasm-bindgen.exe" : "wasm-bindgen";
  const folders = [...(process.env.PATH ?? "").split(delimiter), join(wasmBindgenRoot(), "bin")];
  for (const folder of folders) {
    const path = join(folder, name);
    if (folder === "" || !isExecutable(path)) continue;
    if (versionIn(firstLine(path, ["--version"])) === version) return path;
  }
  return undefined;
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return existsSync(path);
  } catch {
    return false;
  }
}
