// Makes sure that there is something to measure. Uses nothing but Node itself: what it runs may install the packages.
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** Bundles of the benchmark; made anew by every run. */
export const BUNDLES = join(ROOT, "build", "bench");

/**
 * Installs and builds what is missing or older than its sources. What it prints goes to stderr.
 *
 * @throws {Error} When it fails; it has said why.
 */
export async function prepare() {
  const child = spawn(process.execPath, [join(ROOT, "scripts/build.mjs"), "npm"], {
    cwd: ROOT,
    stdio: ["ignore", 2, 2],
  });
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (exitCode, signal) => resolve(exitCode ?? signal));
  });
  if (code !== 0) throw new Error("the build failed");
}
