// Skips work whose inputs are the same as when it was last done.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { ROOT } from "./toolchain.mjs";

const FOLDER = join(ROOT, ".seawall");

/**
 * Runs `work` unless it was done before with the same inputs and its outputs are there.
 *
 * @param {string} name
 * @param {{ inputs: string[], outputs: string[], also?: string[] }} what Files and folders, from the root of the
 *   repository; `also` are other texts that matter, such as versions.
 * @param {() => Promise<void>} work
 * @returns {Promise<boolean>} Whether it ran.
 */
export async function unlessDone(name, what, work) {
  const stamp = join(FOLDER, `${name}.stamp`);
  const wanted = digest(what.inputs, what.also ?? []);
  const isThere = what.outputs.every((path) => existsSync(join(ROOT, path)));
  if (isThere && existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return false;
  // Without a stamp, work that is interrupted is done again.
  rmSync(stamp, { force: true });
  await work();
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(stamp, wanted);
  return true;
}

/** @param {string[]} paths @param {string[]} texts */
function digest(paths, texts) {
  const hash = createHash("sha256");
  for (const text of texts) hash.update(`${text}\0`);
  for (const path of paths) {
    for (const file of filesIn(join(ROOT, path))) {
      hash.update(`${relative(ROOT, file)}\0`).update(readFileSync(file));
    }
  }
  return hash.digest("hex");
}

/** @param {string} path @returns {string[]} */
function filesIn(path) {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesIn(join(path, name)));
}
