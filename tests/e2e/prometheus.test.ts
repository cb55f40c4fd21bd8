// A real Prometheus that scrapes the Worker of `npm run demo` for a minute: no scrape fails, and the alert for an opened
// circuit fires, and is over after the repair. The only test that may take so long.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startWorld, type World } from "../../scripts/demo/world.mjs";
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
const MINUTE_S = 60;
const JOB = "carmen-database";

let world: World;
let rig: Rig;
let prometheus: { url: string; stop(): Promise<void> };

beforeAll(async () => {
  world = await startWorld();
  rig = await startRig((url) => ({ first: { modules, bindings: { TURSO_DATABASE_URL: url } } }));
  const { host } = new URL(world.url);
  // The shipped rules, but for how long something must last.
  const rules = readFileSync(shipped, "utf8").replaceAll(/for: \w+/g, "for: 1s");
  expect(rules).toContain("for: 1s");
  prometheus = await startPrometheus({ target: host, rules, job: JOB, path: "/api/health/metrics" });
}, 2 * LIMIT_MS);

afterAll(async () => {
  await prometheus?.stop();
  await rig?.stop();
  await world?.stop();
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

interface Series {
  metric: Record<string, string>;
  value?: [number, string];
  values?: [number, string][];
}

async function query(expression: string): Promise<Series[]> {
  const response = await fetch(`${prometheus.url}/api/v1/query?query=${encodeURIComponent(expression)}`);
  const { data } = (await response.json()) as { data: { result: Series[] } };
  return data.result;
}

const value = async (expression: string) => (await query(expression))[0]?.value?.[1];

/** All that one series had since Prometheus began: when, in seconds, and what. */
async function values(name: string): Promise<[number, string][]> {
  const [series, ...others] = await query(`${name}{job="${JOB}"}[10m]`);
  expect(others).toStrictEqual([]);
  return series?.values ?? [];
}

/** The Worker probes its database when somebody asks how it is. */
const look = () => fetch(`${world.url}/api/health`).then((response) => response.text());

test(
  "ALR-13: for a minute each scrape of the demo's Worker is taken; the alert for its opened circuit fires and is over",
  async () => {
    await look();
    await until("the Worker is scraped", async () => (await value(`up{job="${JOB}"}`)) === "1", LIMIT_MS);
    const open = 'max(seawall_circuit_breaker_state{state="OPEN"})';
    await until("its circuit is closed", async () => (await value(open)) === "0", LIMIT_MS);
    expect(await firing("SeawallCircuitOpen")).toBeUndefined();

    await world.break("kill");
    await until(
      "the alert fires",
      async () => (await look()) !== "" && (await firing("SeawallCircuitOpen")) !== undefined,
      LIMIT_MS,
    );
    expect(await firing("SeawallCircuitOpen")).toMatchObject({
      labels: { severity: "critical", job: JOB },
      annotations: { summary: expect.stringMatching(/^The circuit of .+ is open$/) },
    });

    await world.mend();
    await until(
      "the alert is over",
      async () => (await look()) !== "" && (await firing("SeawallCircuitOpen")) === undefined,
      LIMIT_MS,
    );
    expect(await value(open)).toBe("0");

    const scrapedS = async () => {
      const scrapes = await values("up");
      return (scrapes.at(-1)?.[0] ?? 0) - (scrapes[0]?.[0] ?? 0);
    };
    await until(
      "a minute is scraped",
      async () => (await look()) !== "" && (await scrapedS()) >= MINUTE_S,
      2 * LIMIT_MS,
    );
    const scrapes = await values("up");
    expect(new Set(scrapes.map(([, isUp]) => isUp))).toStrictEqual(new Set(["1"]));
    const samples = await values("scrape_samples_scraped");
    expect(samples.length).toBeGreaterThanOrEqual(scrapes.length);
    for (const [, count] of samples) expect(Number(count)).toBeGreaterThan(100);
    const fired = await query('ALERTS{alertname="SeawallCircuitOpen",alertstate="firing"}[10m]');
    expect(fired).toHaveLength(1);
    expect(await firing("SeawallCircuitOpen")).toBeUndefined();
  },
  6 * LIMIT_MS,
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
