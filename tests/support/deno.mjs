// Deno, for tests of what only it has.
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/**
 * Path of the program: from npm where a package for this machine is installed, otherwise from the path.
 *
 * @returns {string}
 * @throws {Error} When there is none; a missing runtime fails, it does not skip.
 */
export function denoBinary() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("@deno/linux-x64-glibc/package.json")), "deno");
  } catch {}
  try {
    execFileSync("deno", ["--version"], { stdio: "ignore" });
    return "deno";
  } catch {
    throw new Error("Deno was not found. Run npm run setup on Linux, or install Deno 2: https://docs.deno.com/runtime");
  }
}
