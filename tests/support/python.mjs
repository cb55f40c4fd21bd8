// Python with packages from PyPI, for tests: an environment of its own in the user's cache, made once.
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDir, firstLine } from "../../scripts/toolchain.mjs";

/**
 * Runs a program with packages.
 *
 * @param {string[]} packages Names with versions, such as `prometheus_client==0.26.0`.
 * @param {string} program Its text.
 * @param {string} input What it reads from its standard input.
 * @returns {Promise<{ code: number, output: string, error: string }>}
 * @throws {Error} When there is no Python 3, or a package cannot be had; a missing tool fails, it does not skip.
 */
export function python(packages, program, input) {
  const path = pythonWith(packages);
  return new Promise((resolve, reject) => {
    const child = execFile(path, ["-c", program], { maxBuffer: 1 << 26 }, (failure, output, error) => {
      const code = failure === null ? 0 : failure.code;
      if (typeof code !== "number") reject(failure);
      else resolve({ code, output, error });
    });
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

/**
 * Path of a Python that can import them.
 *
 * @param {string[]} packages
 * @returns {string}
 */
function pythonWith(packages) {
  const digest = createHash("sha256").update(packages.join("\n")).digest("hex").slice(0, 12);
  const folder = join(cacheDir(), `python-${digest}`);
  const path = join(folder, "bin", "python");
  // An environment holds its own path, so it is made where it stays, and marked when it is whole.
  const mark = join(folder, "whole");
  if (existsSync(mark)) return path;
  if (firstLine("python3", ["--version"]) === undefined) {
    throw new Error(
      "python3 was not found. Install it (Debian: apt install python3-venv; macOS: brew install python).",
    );
  }
  mkdirSync(cacheDir(), { recursive: true });
  if (existsSync(folder)) {
    const broken = `${folder}.${process.pid}`;
    renameSync(folder, broken);
    rmSync(broken, { recursive: true, force: true });
  }
  try {
    execFileSync("python3", ["-m", "venv", folder], { stdio: "pipe" });
    execFileSync(path, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...packages], {
      stdio: "pipe",
    });
  } catch (error) {
    throw new Error(`Python's packages could not be installed: ${packages.join(", ")}`, { cause: error });
  }
  writeFileSync(mark, "");
  return path;
}
