// A real Prometheus that scrapes the deployable Worker: the alert for an opened circuit fires, and is over after the repair.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { promtool } from "../support/prometheus.mjs";
import { startPrometheus } from "../support/prometheus-server.mjs";
import { python } from "../support/python.mjs";
import type { Module } from "../support/workerd.mjs";
import { OPENMETRICS_PARSER, WAIVED } from "./metric-rules.ts";
import { type Rig, startRig, until } from "./rig.ts";

const built = (name: string) => fileURLToPath(new URL(`../../build/${name}`, import.meta.url));
const shipped = fileURLToPath(new URL("../../deploy/prometheus/prometheus-rules.yml", import.meta.url));
const modules: Module[] = [
  { type: "ESModule", path: "index.js", contents: readFileSync(built("index.js"), "utf8") },
  { type: "CompiledWasm", path: "index_bg.wasm", contents: new Uint8Array(readFileSync(built("index_bg.wasm"))) },
];
const LIMIT_MS = 60_000;

let rig: Rig;
let prometheus: { url: string; stop(): Promise<void> };

beforeAll(async () => {
  rig = await startRig((url) => ({
    first: {
      modules,
      bindings: { TURSO_DATABASE_URL: url, CB_FAILURE_THRESHOLD: "2", CB_RECOVERY_TIMEOUT: "1000" },
    },
  }));
  const { host } = await rig.miniflare.unsafeGetDirectURL("first");
  // The shipped rules, but for how long something must last.
  const rules = readFileSync(shipped, "utf8").replaceAll(/for: \w+/g, "for: 1s");
  expect(rules).toContain("for: 1s");
  prometheus = await startPrometheus({ target: host, rules, job: "carmen-database", path: "/api/health/metrics" });
}, LIMIT_MS);

afterAll(async () => {
  await prometheus?.stop();
  await rig?.stop();
});

interface Alert {
  state: "pending" | "firing";
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

async function firing(name: string): Promise<Alert | undefined> {
  const response = await fetch(`${prometheus.url}/api/v1/alerts`);
  const { data } = (await response.json()) as { data: { alerts: Alert[] } };
  return data.alerts.find(({ labels, state }) => labels.alertname === name && state === "firing");
}

async function value(expression: string): Promise<string | undefined> {
  const response = await fetch(`${prometheus.url}/api/v1/query?query=${encodeURIComponent(expression)}`);
  const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
  return data.result[0]?.value[1];
}

/** The Worker probes its database when somebody asks how it is. */
const look = () => rig.ask("first", "/api/health").then((response) => response.text());

test(
  "ALR-13: the alert for an opened circuit fires in a real Prometheus, and is over after the repair",
  async () => {
    await look();
    await until("the Worker is scraped", async () => (await value('up{job="carmen-database"}')) === "1", LIMIT_MS);
    const open = 'max(seawall_circuit_breaker_state{state="OPEN"})';
    await until("its circuit is closed", async () => (await value(open)) === "0", LIMIT_MS);
    expect(await firing("SeawallCircuitOpen")).toBeUndefined();

    await rig.sqld.kill();
    await until(
      "the alert fires",
      async () => (await look()) !== "" && (await firing("SeawallCircuitOpen")) !== undefined,
      LIMIT_MS,
    );
    expect(await firing("SeawallCircuitOpen")).toMatchObject({
      labels: { severity: "critical", job: "carmen-database" },
      annotations: { summary: expect.stringMatching(/^The circuit of .+ is open$/) },
    });

    await rig.sqld.start();
    await until(
      "the alert is over",
      async () => (await look()) !== "" && (await firing("SeawallCircuitOpen")) === undefined,
      LIMIT_MS,
    );
    expect(await value(open)).toBe("0");
  },
  3 * LIMIT_MS,
);

test("HLT-02 and MET-38: what the running Worker serves is what promtool and a strict OpenMetrics parser take", async () => {
  const response = await rig.ask("first", "/api/health/metrics");
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const { output } = await promtool(["check", "metrics"], await response.text());
  expect(
    output
      .split("\n")
      .filter((line) => line !== "")
      .sort(),
  ).toEqual(WAIVED);
  const other = await rig.ask("first", "/api/platform/metrics", {
    headers: { accept: "application/openmetrics-text" },
  });
  expect(other.headers.get("content-type")).toContain("application/openmetrics-text");
  const text = await other.text();
  expect(text.endsWith("# EOF\n")).toBe(true);
  const { code, output: counts, error } = await python(["prometheus_client==0.26.0"], OPENMETRICS_PARSER, text);
  expect([code, error]).toEqual([0, ""]);
  expect(Number(counts.split(" ")[1])).toBeGreaterThan(100);
  const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const series = samples.map((line) => line.slice(0, line.lastIndexOf(" ")));
  expect(new Set(series).size).toBe(series.length);
});
