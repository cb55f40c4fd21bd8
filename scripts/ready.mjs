// What must hold before a change is shared: every ring, and nothing generated that is not checked in.
import { execFileSync } from "node:child_process";
import { ROOT } from "./toolchain.mjs";

/** Files that the code writes; the change that moves them shows it. */
const WRITTEN = ["docs", "js/src/codes.ts", "Cargo.lock", "package-lock.json"];

/** @param {string[]} args */
function git(args) {
  return execFileSync("git", args, { cwd: ROOT, encoding: "utf8" }).trim();
}

const before = git(["status", "--porcelain", "--", ...WRITTEN]);
try {
  execFileSync(process.execPath, ["scripts/test.mjs"], { cwd: ROOT, stdio: "inherit" });
} catch {
  process.exit(1);
}
const after = git(["status", "--porcelain", "--", ...WRITTEN]);
if (after !== before) {
  console.error(`\nThese files changed when they were written anew. Look at them and commit them:\n${after}`);
  process.exit(1);
}
console.log("\nReady.");
