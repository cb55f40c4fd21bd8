// Alerts from within a process: what is told to whom, how it is signed, and what operators say to it.
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type AlertsOptions, createMonitor, type Monitor } from "../src/monitor/index.ts";
import { monitorOn } from "../src/monitor/monitor.ts";
import { strongMemoryStore } from "../src/store/memory.ts";
import type { StrongStore } from "../src/store/strong.ts";
import { FakeDatabase, hold, letGo, openClient } from "./fake-database.ts";
import { handSetClock, platformOf, START } from "./guards.ts";

handSetClock();

const SLACK = "https://hooks.slack.com/services/YOUR/WEBHOOK/URL";
const SECRETS = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"];
/** An open circuit lowers the score, which would be an alert of its own. */
const CIRCUIT_ONLY = { healthScore: 0, errorRate: 100 };

interface Sent {
  url: string;
  headers: Record<string, string>;
  body: string;
}

let database: FakeDatabase;
let sent: Sent[];
let status: number;
/** Moves the clock of clients. */
let move: (ms: number) => void;
const monitors: Monitor[] = [];

beforeEach(() => {
  database = new FakeDatabase();
  sent = [];
  status = 200;
  move = hold(START);
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    expect(init).toMatchObject({ method: "POST", redirect: "manual" });
    sent.push({ url, headers: Object.fromEntries(new Headers(init.headers)), body: String(init.body) });
    return new Response(status === 204 ? null : "<html>", { status });
  });
});

afterEach(() => {
  for (const monitor of monitors.splice(0)) monitor.close();
  vi.unstubAllGlobals();
  letGo();
});

function watch(alerts: AlertsOptions, store?: StrongStore): { monitor: Monitor; ask: () => Promise<unknown> } {
  const client = openClient(database, undefined, { circuitBreaker: { failureThreshold: 1, recoveryTimeout: 1_000 } });
  const options = { databases: { primary: client }, alerts: { rules: [], ...alerts }, ...(store && { store }) };
  const monitor = monitorOn(options, platformOf({}));
  monitors.push(monitor);
  return { monitor, ask: () => client.execute("SELECT 1").catch(() => undefined) };
}

/** Looks again, so much later. */
async function later(monitor: Monitor, ms = 1_000): Promise<void> {
  move(ms);
  await vi.advanceTimersByTimeAsync(ms);
  await monitor.tick();
}

const texts = () => sent.map(({ body }) => JSON.parse(body).text.split(" ")[0]);

test("ALR-01 and ALR-02: Slack is told that the circuit opened, and that it closed", async () => {
  const { monitor, ask } = watch({ enabled: true, webhookUrl: SLACK, thresholds: CIRCUIT_ONLY });
  await later(monitor);
  expect(sent).toStrictEqual([]);
  database.mode = { kind: "down" };
  await ask();
  await later(monitor);
  await later(monitor, 0);
  expect(texts()).toStrictEqual(["[FIRING]"]);
  expect(sent[0]).toMatchObject({ url: SLACK, headers: { "content-type": "application/json", "seawall-alert": "1" } });
  expect(JSON.parse(sent[0]?.body ?? "").text).toContain("critical circuitBreakerState (primary): The circuit is OPEN");
  database.mode = { kind: "up" };
  for (let round = 0; round < 60 && texts().at(-1) !== "[RESOLVED]"; round += 1) {
    await later(monitor);
    await ask();
  }
  expect(texts()[0]).toBe("[FIRING]");
  expect(texts().filter((text) => text === "[FIRING]")).toHaveLength(1);
  expect(texts().at(-1)).toBe("[RESOLVED]");
});

test("ALR-01: what is not taken is sent again under its id, and only 2xx is taken", async () => {
  const { monitor, ask } = watch({ webhookUrl: SLACK, thresholds: CIRCUIT_ONLY });
  database.mode = { kind: "down" };
  status = 500;
  await ask();
  await later(monitor);
  await later(monitor, 1_000);
  expect(sent).toHaveLength(1);
  status = 204;
  await later(monitor, 6_000);
  await later(monitor, 600_000);
  expect(sent.filter(({ body }) => body.includes("FIRING"))).toHaveLength(2);
  expect(sent[0]?.headers["webhook-id"]).toBe(sent[1]?.headers["webhook-id"]);
});

test("messages pass the verifier of Standard Webhooks, with each of two secrets", async () => {
  const sink = {
    name: "own",
    url: "https://alerts.example-shop.com/hook",
    secrets: SECRETS,
    authorization: "Bearer s3cret",
  };
  const { monitor, ask } = watch({ sinks: [sink], thresholds: CIRCUIT_ONLY });
  database.mode = { kind: "down" };
  await ask();
  await later(monitor);
  const [{ headers, body }] = sent as [Sent];
  expect(headers.authorization).toBe("Bearer s3cret");
  for (const secret of SECRETS) {
    expect(new Webhook(secret).verify(body, headers)).toMatchObject({
      type: "alert.firing",
      data: { rule: "circuitBreakerState", database: "primary", state: "OPEN", stage: "firing" },
    });
  }
  const other = new Webhook("whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB");
  expect(() => other.verify(body, headers)).toThrow();
  expect(() => new Webhook(SECRETS[0] ?? "").verify(`${body} `, headers)).toThrow();
});

test("ALR-09: alerts are listed, acknowledged and silenced", async () => {
  const { monitor, ask } = watch({ webhookUrl: SLACK, thresholds: CIRCUIT_ONLY });
  expect((await monitor.alerts.list()).alerts).toStrictEqual([]);
  database.mode = { kind: "down" };
  await ask();
  await later(monitor);
  const { alerts, sinks } = await monitor.alerts.list();
  expect(alerts).toMatchObject([{ rule: "circuitBreakerState", database: "primary", stage: "firing" }]);
  // H132: an address is a secret.
  expect(sinks).toStrictEqual([
    { name: "webhook", kind: "slack", url: "https://hooks.slack.com", isSigned: false, isGone: false },
  ]);
  const id = alerts[0]?.id ?? "";
  expect((await monitor.alerts.acknowledge(id, "anna")).alerts).toMatchObject([
    { stage: "acknowledged", acknowledgedBy: "anna" },
  ]);
  const silenced = await monitor.alerts.silence(id, { durationMs: 60_000, reason: "deploy", by: "anna" });
  expect(silenced.silences).toMatchObject([{ match: { rule: "circuitBreakerState", database: "primary" } }]);
  expect((await monitor.alerts.silence({ severity: "warning" }, { durationMs: 1_000 })).silences).toHaveLength(2);
  await expect(monitor.alerts.acknowledge("nope")).rejects.toMatchObject({
    name: "AlertOrderError",
    code: "ALERT_NOT_FOUND",
  });
  await expect(monitor.alerts.silence({}, { durationMs: 1e12 })).rejects.toMatchObject({ code: "BODY_UNUSABLE" });
});

test("ALR-09: isolates with one strong store tell of an outage once, and list and silence the same alerts", async () => {
  const store = strongMemoryStore();
  const fleet = Array.from({ length: 5 }, () => watch({ webhookUrl: SLACK, thresholds: CIRCUIT_ONLY }, store));
  database.mode = { kind: "down" };
  for (const { monitor, ask } of fleet) {
    await ask();
    await later(monitor);
  }
  expect(texts()).toStrictEqual(["[FIRING]"]);
  const [first, last] = [fleet[0]?.monitor, fleet[4]?.monitor] as [Monitor, Monitor];
  const { alerts } = await last.alerts.list();
  expect(alerts).toHaveLength(1);
  await first.alerts.acknowledge(alerts[0]?.id ?? "", "anna");
  expect((await last.alerts.list()).alerts).toMatchObject([{ stage: "acknowledged", acknowledgedBy: "anna" }]);
});

test("ALR-07: the custom monitor of the documents is taken as it stands, and what is misspelt is named", () => {
  const databases = { primary: openClient(database, undefined) };
  const alerts = {
    enabled: true,
    webhookUrl: "https://hooks.slack.com/services/T0/B0/s3cret",
    thresholds: { healthScore: 80, poolUtilization: 70, queryTime: 500, errorRate: 2, connectionTimeouts: 1 },
  };
  createMonitor({ databases, alerts }).close();
  const wrong = { databases, alerts: { ...alerts, thresholds: { healthscore: 80 } } };
  expect(() => createMonitor(wrong as never)).toThrow(/healthscore/);
  const plain = { databases, alerts: { ...alerts, webhookUrl: "http://hooks.slack.com/services/T0/B0/s3cret" } };
  expect(() => createMonitor(plain)).toThrow(/https/);
  expect(() => createMonitor(plain)).not.toThrow(/s3cret/);
});
