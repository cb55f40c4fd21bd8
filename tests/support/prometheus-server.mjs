// A real Prometheus for tests: one process on a free port, which scrapes and judges every second.
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prometheusBinary } from "./prometheus.mjs";
import { freePort } from "./sqld.mjs";

const START_LIMIT_MS = 30_000;

/**
 * Starts a server that scrapes `target` as the shipped configuration does, but every second.
 *
 * @param {{ target: string, rules: string, job: string, path: string }} options `target` is a host with a port, `rules`
 *   the text of a file of rules.
 * @returns {Promise<{ url: string, stop(): Promise<void> }>}
 */
export async function startPrometheus({ target, rules, job, path }) {
  const dir = await mkdtemp(join(tmpdir(), "seawall-prometheus-server-"));
  const config = join(dir, "prometheus.yml");
  await writeFile(join(dir, "rules.yml"), rules);
  await writeFile(
    config,
    // JSON is YAML.
    JSON.stringify({
      global: { scrape_interval: "1s", evaluation_interval: "1s" },
      rule_files: ["rules.yml"],
      scrape_configs: [{ job_name: job, metrics_path: path, static_configs: [{ targets: [target] }] }],
    }),
  );
  const port = await freePort();
  const child = spawn(
    prometheusBinary("prometheus"),
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(dir, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      // Debian's package looks for these in a folder of the system.
      `--web.console.templates=${dir}`,
      `--web.console.libraries=${dir}`,
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let log = "";
  child.stderr.on("data", (chunk) => {
    log = (log + chunk).slice(-4_000);
  });
  const onExit = () => child.kill("SIGKILL");
  process.on("exit", onExit);
  const stop = async () => {
    process.off("exit", onExit);
    if (child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    }
    await rm(dir, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  const limit = Date.now() + START_LIMIT_MS;
  for (;;) {
    const isReady = await fetch(`${url}/-/ready`).then(
      (response) => response.ok,
      () => false,
    );
    if (isReady) return { url, stop };
    if (child.exitCode !== null || Date.now() > limit) {
      await stop();
      throw new Error(`Prometheus did not start:\n${log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
