// Prometheus' Alertmanager for tests: one process on a free port, from the path or from Debian's package.
import { execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { firstLine } from "../../scripts/toolchain.mjs";
import { freePort } from "./sqld.mjs";

const START_LIMIT_MS = 20_000;
const NAMES = ["prometheus-alertmanager", "alertmanager"];
const HINT = "Install Alertmanager (Debian: apt install prometheus-alertmanager; macOS: brew install alertmanager).";

/** Its name on the path. Debian's package is installed, as its program wants templates in a folder of the system. */
function alertmanagerBinary() {
  const found = () => NAMES.find((name) => firstLine(name, ["--version"]) !== undefined);
  if (found() === undefined && process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) {
    // At this run level no service starts.
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
    const install = () =>
      execFileSync("apt-get", ["install", "-y", "-q", "--no-install-recommends", NAMES[0] ?? ""], {
        env,
        stdio: "pipe",
      });
    try {
      install();
    } catch {
      // Without a list of packages there is nothing to install from.
      execFileSync("apt-get", ["update", "-q"], { env, stdio: "pipe" });
      install();
    }
  }
  const name = found();
  if (name === undefined) throw new Error(`Alertmanager was not found. ${HINT}`);
  return name;
}

/**
 * Starts an Alertmanager that sends what it is told on to `webhookUrl`, at once.
 *
 * @param {string} webhookUrl
 * @returns {Promise<{ url: string, stop(): Promise<void> }>}
 * @throws {Error} When there is none and none can be fetched; a missing tool fails, it does not skip.
 */
export async function startAlertmanager(webhookUrl) {
  const binary = alertmanagerBinary();
  const dir = await mkdtemp(join(tmpdir(), "seawall-alertmanager-"));
  const config = join(dir, "alertmanager.yml");
  const receivers = [{ name: "test", webhook_configs: [{ url: webhookUrl, send_resolved: true }] }];
  const route = { receiver: "test", group_by: ["..."], group_wait: "0s", group_interval: "1s", repeat_interval: "1h" };
  // JSON is YAML.
  await writeFile(config, JSON.stringify({ route, receivers }));
  const port = await freePort();
  const child = spawn(
    binary,
    [
      `--config.file=${config}`,
      `--storage.path=${join(dir, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--cluster.listen-address=",
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let log = "";
  child.stderr.on("data", (chunk) => {
    log = (log + chunk).slice(-4_000);
  });
  const onExit = () => child.kill("SIGKILL");
  process.on("exit", onExit);
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    process.off("exit", onExit);
    if (child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    }
    await rm(dir, { recursive: true, force: true });
  };
  const limit = Date.now() + START_LIMIT_MS;
  for (;;) {
    const isReady = await fetch(`${url}/-/ready`).then(
      (response) => response.ok,
      () => false,
    );
    if (isReady) return { url, stop };
    if (child.exitCode !== null || Date.now() > limit) {
      await stop();
      throw new Error(`Alertmanager did not start:\n${log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
