// A real Alertmanager takes what our sink for it sends, and what it sends on has the shape of our other sink for it.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type AlertSinkKind, createMonitor } from "seawall/monitor";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { startAlertmanager } from "../support/alertmanager.mjs";
import { until } from "./rig.ts";

interface Webhook {
  status: string;
  alerts: { status: string; labels: Record<string, string>; startsAt: string; endsAt: string }[];
}

let alertmanager: { url: string; stop(): Promise<void> };
let server: Server;
const received: Webhook[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      received.push(JSON.parse(body));
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  alertmanager = await startAlertmanager(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}, 120_000);

afterEach(() => vi.unstubAllGlobals());

afterAll(async () => {
  await alertmanager?.stop();
  server?.closeAllConnections();
  server?.close();
});

/** What the sink is sent while a circuit opens and closes. */
async function sent(kind: AlertSinkKind): Promise<string[]> {
  const bodies: string[] = [];
  vi.stubGlobal("fetch", async (_: string, init: RequestInit) => {
    bodies.push(String(init.body));
    return new Response(null, { status: 200 });
  });
  let state = "OPEN";
  const status = () => ({ breaker: { state } });
  const seawall = { status, healthCheck: async () => true } as never;
  const sink = { name: "it", kind, url: "https://alerts.example-shop.com/api/v2/alerts" };
  const monitor = createMonitor({
    databases: { primary: { seawall } },
    alerts: { sinks: [sink], thresholds: { healthScore: 0 } },
  });
  await monitor.tick();
  state = "CLOSED";
  await until("both are sent", async () => {
    await monitor.tick();
    return bodies.length === 2;
  });
  monitor.close();
  vi.unstubAllGlobals();
  return bodies;
}

test("ALR-09: Alertmanager takes an alert, sends it on, and takes its end", async () => {
  const bodies = await sent("alertmanager");
  const give = async (body: string | undefined) => {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${alertmanager.url}/api/v2/alerts`, { method: "POST", headers, body: body ?? "" });
    expect(response.status, await response.text()).toBe(200);
  };
  await give(bodies[0]);
  await until("it sends the alert on", () => received.length > 0, 30_000);
  expect(received[0]).toMatchObject({
    status: "firing",
    alerts: [{ labels: { alertname: "Seawall", rule: "circuitBreakerState", database: "primary" } }],
  });
  await give(bodies[1]);
  await until("it sends the end on", () => received.at(-1)?.status === "resolved", 30_000);

  // What it sent on is version 4 of its webhook: ours has the same members.
  const shape = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.slice(0, 1).map(shape)
      : typeof value === "object" && value !== null
        ? Object.fromEntries(
            Object.keys(value)
              .sort()
              .map((key) => [key, MAPS.has(key) ? "a map" : shape((value as Record<string, unknown>)[key])]),
          )
        : typeof value;
  const ours = (await sent("alertmanager-webhook")).map((body) => JSON.parse(body) as Webhook);
  expect(shape(ours[0])).toStrictEqual(shape(received[0]));
  expect(ours.map(({ status }) => status)).toStrictEqual(["firing", "resolved"]);
  // It writes "no time yet" as its language does.
  expect(ours[0]?.alerts[0]?.endsAt).toBe(received[0]?.alerts[0]?.endsAt);
}, 120_000);

/** Members whose own members are names that somebody chose. */
const MAPS = new Set(["labels", "annotations", "groupLabels", "commonLabels", "commonAnnotations"]);
