// Guarded flags, as an application with a monitor has them: a circuit that opens takes a flag back, everywhere.
import { expect, test } from "vitest";
import { createFlags } from "../src/flags/index.ts";
import { createMonitor } from "../src/monitor/monitor.ts";
import { strongMemoryStore } from "../src/store/memory.ts";

const TOKEN = "t0ken-of-the-operator-that-nobody-may-see";

function isolate(store: ReturnType<typeof strongMemoryStore>) {
  const breaker = { state: "CLOSED" };
  const databases = { primary: { seawall: { status: () => ({ breaker }), healthCheck: async () => true } } };
  const monitor = createMonitor({ databases, store, adminToken: TOKEN, admin: { followIntervalMs: 100 } });
  const ask = (method: string, path: string, body?: unknown) =>
    monitor.handle(
      new Request(`https://example.com/admin/api${path}`, {
        method,
        headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", "if-match": "*" },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
    );
  return { breaker, monitor, ask, flags: createFlags({ monitor, env: {} }) };
}

test("a flag whose guard is crossed is killed in every isolate, with the comparison in the audit log", async () => {
  const store = strongMemoryStore();
  const [one, other] = [isolate(store), isolate(store)];
  const guard = { database: "primary", circuit: "open" };
  const value = { version: 1, flags: { "new-checkout": { guard, default: "on" }, calm: { default: "on" } } };
  expect((await one.ask("PUT", "/orders/flags", { value, reason: "a test" })).status).toBe(200);
  const isOn = ({ flags }: typeof one) => ["new-checkout", "calm"].map((key) => flags.for({}).boolean(key));
  await one.monitor.tick();
  await other.monitor.tick();
  expect([isOn(one), isOn(other)]).toEqual([
    [true, true],
    [true, true],
  ]);
  one.breaker.state = "OPEN";
  await expect
    .poll(
      async () => {
        await one.monitor.tick();
        await other.monitor.tick();
        return [isOn(one), isOn(other)];
      },
      { timeout: 20_000, interval: 200 },
    )
    .toEqual([
      [false, true],
      [false, true],
    ]);
  const { records } = (await (await one.ask("GET", "/audit?limit=1")).json()) as {
    records: { actor: string; action: string; reason: string }[];
  };
  expect(records[0]).toMatchObject({
    actor: "guard",
    action: "kill",
    reason: '"new-checkout": the circuit of primary is open',
  });
}, 30_000);
