// What ships for Prometheus, Alertmanager and Grafana: taken by the tools themselves, and the dashboard as it is written.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { dashboard } from "../../scripts/grafana.mjs";
import { promtool } from "../support/prometheus.mjs";

// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana fills it in.
const SOURCE = "${datasource}";
const shipped = (path: string) => fileURLToPath(new URL(`../../deploy/${path}`, import.meta.url));

describe("Prometheus", () => {
  test("ALR-10 and ALR-13: promtool takes the rules, and their own tests pass", async () => {
    expect(await promtool(["check", "rules", shipped("prometheus/prometheus-rules.yml")])).toMatchObject({ code: 0 });
    const tested = await promtool(["test", "rules", shipped("prometheus/prometheus-rules.test.yml")]);
    expect(tested, tested.output).toMatchObject({ code: 0 });
    const rules = readFileSync(shipped("prometheus/prometheus-rules.yml"), "utf8");
    const tests = readFileSync(shipped("prometheus/prometheus-rules.test.yml"), "utf8");
    const alerts = [...new Set([...rules.matchAll(/alert: (\w+)/g)].map(([, name]) => name))];
    expect(alerts).toContain("SeawallCircuitOpen");
    expect(alerts).toContain("SeawallPoolSaturated");
    for (const name of alerts) expect(tests, `${name} has a test`).toContain(`alertname: ${name}`);
  });

  test("MET-37: promtool takes the configuration, whose job is the one of the documents", async () => {
    const path = shipped("prometheus/prometheus.yml");
    expect(await promtool(["check", "config", path])).toMatchObject({ code: 0 });
    const text = readFileSync(path, "utf8");
    for (const line of [
      "job_name: carmen-database",
      "metrics_path: /api/health/metrics",
      "scrape_interval: 15s",
      '- targets: ["localhost:3000"]',
    ])
      expect(text).toContain(line);
  });
});

interface Target {
  expr: string;
  refId: string;
  datasource?: { type: string; uid: string };
}

interface Panel {
  title: string;
  type: string;
  description?: string;
  datasource?: { uid: string };
  fieldConfig?: { defaults?: { unit?: string } };
  targets?: Target[];
}

describe("Grafana", () => {
  let board: {
    schemaVersion: number;
    editable: boolean;
    templating: { list: { name: string; type: string }[] };
    panels: Panel[];
  };

  beforeAll(() => {
    board = JSON.parse(readFileSync(shipped("grafana/dashboard.json"), "utf8"));
  });

  test("the dashboard is what scripts/grafana.mjs writes", () => {
    expect(readFileSync(shipped("grafana/dashboard.json"), "utf8")).toBe(dashboard());
  });

  test("ALR-13: it shows the circuit and the pool, and each panel keeps the rules of Grafana's linter", () => {
    expect(board).toMatchObject({ schemaVersion: 42, editable: false });
    const sources = board.templating.list.filter(({ type }) => type === "datasource");
    expect(sources.map(({ name }) => name)).toStrictEqual(["datasource"]);
    expect(board.templating.list.map(({ name }) => name)).toStrictEqual(["datasource", "job", "instance", "pool"]);
    expect(board.panels.length).toBeGreaterThan(10);
    const titles = board.panels.map(({ title }) => title);
    expect(new Set(titles).size).toBe(titles.length);
    expect(titles).toEqual(expect.arrayContaining(["Open circuits", "Circuit breaker state", "Pool in use"]));
    for (const panel of board.panels) {
      expect(panel.description, panel.title).toMatch(/.{20}/);
      expect(panel.fieldConfig?.defaults?.unit, panel.title).toMatch(/./);
      expect(panel.datasource?.uid, panel.title).toBe(SOURCE);
      expect(panel.targets?.length, panel.title).toBeGreaterThan(0);
      const refIds = panel.targets?.map(({ refId }) => refId) ?? [];
      expect(new Set(refIds).size).toBe(refIds.length);
      for (const { expr, datasource } of panel.targets ?? []) {
        expect(datasource?.uid).toBe(SOURCE);
        for (const [selector] of expr.matchAll(/\{[^}]*\}/g)) expect(selector, expr).toContain('job=~"$job"');
        // A counter is only ever shown as a rate, over the interval that Grafana chooses.
        for (const found of expr.matchAll(/\b\w+_(?:total|bucket)\b/g)) {
          expect(expr.slice(0, found.index), expr).toMatch(/(?:rate|increase)\($/);
        }
        for (const [, range] of expr.matchAll(/\[([^\]]+)\]/g)) expect(range, expr).toBe("$__rate_interval");
      }
    }
  });

  test("Prometheus parses each of its expressions, and knows each of its recorded series", async () => {
    const dir = await mkdtemp(join(tmpdir(), "seawall-dashboard-"));
    const expressions = board.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    const rules = expressions.map((expr, index) => ({
      record: `panel:${index}`,
      expr: expr.replaceAll("$__rate_interval", "5m").replaceAll(/\$(?:job|instance|pool)\b/g, ".+"),
    }));
    const path = join(dir, "rules.json");
    await writeFile(path, JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
    const checked = await promtool(["check", "rules", path]);
    await rm(dir, { recursive: true });
    expect(checked, checked.output).toMatchObject({ code: 0 });
    expect(checked.output).toContain(`${expressions.length} rules found`);
    const shippedRules = readFileSync(shipped("prometheus/prometheus-rules.yml"), "utf8");
    for (const [series] of expressions.join(" ").matchAll(/job_pool:[\w:]+/g)) {
      expect(shippedRules).toContain(`record: ${series}\n`);
    }
  });
});

describe("the gate of a deployment", () => {
  const TOKEN = "a-token-of-at-least-32-characters";
  let server: Server | undefined;

  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  /** Runs the script against a service whose gate for deployments passes from the given question on. */
  async function gate(passesFrom: number, timeoutMs: number) {
    const orders: unknown[] = [];
    let questions = 0;
    server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => {
        response.setHeader("content-type", "application/json");
        if (request.url === "/api/health/score") {
          questions += 1;
          const passes = questions >= passesFrom;
          // The gate for alerts passes all the time: it must not be mistaken for the other.
          response.end(
            JSON.stringify({
              score: passes ? 100 : 40,
              gates: { deploy: { scoreMin: 85, passes }, alert: { scoreMin: 30, passes: true } },
            }),
          );
        } else {
          const { authorization, "if-match": ifMatch } = request.headers;
          orders.push({ method: request.method, url: request.url, authorization, ifMatch, body: JSON.parse(body) });
          response.end("{}");
        }
      });
    });
    const { port } = await new Promise<AddressInfo>((resolve) =>
      server?.listen(0, "127.0.0.1", () => resolve(server?.address() as AddressInfo)),
    );
    const env = { ...process.env, SEAWALL_URL: `http://127.0.0.1:${port}`, SEAWALL_ADMIN_TOKEN: TOKEN };
    const ended = await new Promise<{ code: number; output: string }>((resolve) => {
      execFile("bash", [shipped("health-gate.sh"), String(timeoutMs)], { env }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr }),
      );
    });
    return { ...ended, orders, questions };
  }

  test("ALR-12: in an outage it gives the order to kill and fails", async () => {
    const { code, output, orders } = await gate(Number.POSITIVE_INFINITY, 1_000);
    expect(code).toBe(1);
    expect(output).toContain("not healthy after 1000 ms");
    expect(output).not.toContain(TOKEN);
    expect(orders).toStrictEqual([
      {
        method: "PUT",
        url: "/admin/api/orders/kill",
        authorization: `Bearer ${TOKEN}`,
        ifMatch: "*",
        body: { reason: "health-check-failure", value: { all: true } },
      },
    ]);
  });

  test("ALR-12: a service that becomes healthy in time passes, and nothing is ordered", async () => {
    const { code, output, orders, questions } = await gate(2, 60_000);
    expect({ code, output, orders, questions }).toStrictEqual({
      code: 0,
      output: "healthy\n",
      orders: [],
      questions: 2,
    });
  });
});
