// Debian's Chromium, driven by playwright-core: what people look at the dashboard with.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const QUIET = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** @returns {string | undefined} */
const found = () => [process.env.CHROMIUM ?? "", ...PATHS].find((path) => path !== "" && existsSync(path));

/**
 * Starts a browser; installs Debian's if there is none and that is allowed here.
 *
 * @returns {Promise<import("playwright-core").Browser>}
 * @throws {Error} When there is none; a missing browser fails, it does not skip.
 */
export async function startChromium() {
  if (found() === undefined) install();
  const executablePath = found();
  if (executablePath === undefined) {
    throw new Error("Chromium was not found. Run: apt-get install chromium, or set CHROMIUM to its path");
  }
  // As root it has no sandbox, and says so.
  const args = process.getuid?.() === 0 ? [...QUIET, "--no-sandbox"] : QUIET;
  return chromium.launch({ executablePath, args });
}

function install() {
  const canInstall = process.getuid?.() === 0 && spawnSync("apt-get", ["--version"]).status === 0;
  if (!canInstall) return;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  execFileSync("apt-get", ["update", "-q"], { env, stdio: "ignore" });
  execFileSync("apt-get", ["install", "-y", "-q", "--no-install-recommends", "chromium"], { env, stdio: "ignore" });
}
