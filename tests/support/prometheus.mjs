// Prometheus and its promtool, for tests: from the path, else from Debian's package, unpacked into the user's cache
// without being installed, so that no service starts.
import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheDir, firstLine } from "../../scripts/toolchain.mjs";

const HINT = "Install Prometheus (Debian: apt install prometheus; macOS: brew install prometheus).";

/**
 * Path of one of its programs.
 *
 * @param {"prometheus" | "promtool"} name
 * @returns {string}
 * @throws {Error} When there is none and none can be fetched; a missing tool fails, it does not skip.
 */
export function prometheusBinary(name) {
  if (firstLine(name, ["--version"]) !== undefined) return name;
  const folder = join(cacheDir(), "prometheus");
  const path = join(folder, "usr", "bin", name);
  if (!existsSync(path)) unpack(folder);
  if (firstLine(path, ["--version"]) === undefined) throw new Error(`${name} does not run. ${HINT}`);
  return path;
}

/**
 * Runs promtool.
 *
 * @param {string[]} args
 * @param {string} [input] What it reads from its standard input.
 * @returns {Promise<{ code: number, output: string }>} Its exit status, 3 for lint, and all that it said.
 */
export function promtool(args, input = "") {
  const path = prometheusBinary("promtool");
  return new Promise((resolve, reject) => {
    const child = execFile(path, args, { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (typeof code !== "number") reject(error);
      else resolve({ code, output: stdout + stderr });
    });
    // It may refuse its arguments before it has read anything.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

/** @param {string} folder Where the package's files go, all at once: several tests may come here at the same time. */
function unpack(folder) {
  if (firstLine("apt-get", ["--version"]) === undefined) throw new Error(`promtool was not found. ${HINT}`);
  const work = mkdtempSync(join(tmpdir(), "seawall-prometheus-"));
  try {
    try {
      download(work);
    } catch {
      // Without a list of packages there is nothing to download from.
      execFileSync("apt-get", ["update", "-q"], { stdio: "pipe" });
      download(work);
    }
    const archive = readdirSync(work).find((name) => name.endsWith(".deb"));
    if (archive === undefined) throw new Error("apt-get downloaded nothing.");
    mkdirSync(cacheDir(), { recursive: true });
    const files = mkdtempSync(join(cacheDir(), "prometheus-"));
    execFileSync("dpkg-deb", ["-x", join(work, archive), files], { stdio: "pipe" });
    try {
      renameSync(files, folder);
    } catch (error) {
      rmSync(files, { recursive: true, force: true });
      if (!existsSync(folder)) throw error;
    }
  } catch (error) {
    throw new Error(`Debian's package of Prometheus could not be fetched. ${HINT}`, { cause: error });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** @param {string} folder */
function download(folder) {
  execFileSync("apt-get", ["download", "-q", "prometheus"], { cwd: folder, stdio: "pipe" });
}
