// Every route, from both hosts: the deployable Worker in workerd, and `handle(request)` of the package in Node. Both give the
// same answer, times aside. A subject adds its cases in a file of `routes/`, and a line here.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Host, type Hosts, startHosts } from "./hosts.ts";
import { until } from "./rig.ts";
import { expectAnswer, lasting, type RouteCase, type State } from "./routes/cases.ts";
import { HEALTH } from "./routes/health.ts";
import { PREFLIGHT } from "./routes/preflight.ts";

const CASES: RouteCase[] = [...HEALTH, ...PREFLIGHT];

let hosts: Hosts;

beforeAll(async () => {
  hosts = await startHosts();
});

afterAll(() => hosts?.stop());

/** Brings the database of a host into a state, and waits until the host knows. */
async function bring(host: Host, state: State): Promise<void> {
  const isReady = async () => (await host.ask({ path: "/api/health/ready" })).status === 200;
  await host.proxy.set({ kind: state === "well" ? "pass" : state === "away" ? "refuse" : "hang" });
  await until(`${host.name} knows that its database is ${state}`, async () => (await isReady()) === (state === "well"));
}

describe.each(["well", "away", "hanging"] as const)("with a database that is %s", (state) => {
  beforeAll(async () => {
    await Promise.all(hosts.all.map((host) => bring(host, state)));
  });

  test.each(CASES.filter((it) => (it.state ?? "well") === state))("$title", async (it) => {
    const answers = [];
    for (const host of hosts.all) {
      const answer = await host.ask(it);
      expectAnswer(it, answer, host.name);
      answers.push(answer);
    }
    const [worker, node] = answers.map(lasting);
    // What alerts say of a database that is away depends on how far each host's circuit is.
    if (state === "well") expect(node).toStrictEqual(worker);
  });
});

describe("what is asked of the database", () => {
  test("at most one probe a second, whatever the traffic", async () => {
    for (const host of hosts.all) {
      await bring(host, "well");
      const [before, began] = [host.proxy.requests, Date.now()];
      for (let round = 0; round < 10; round += 1) {
        const all = Array.from({ length: 50 }, () => host.ask({ path: "/api/health" }));
        for (const { status } of await Promise.all(all)) expect(status).toBe(200);
      }
      const seconds = Math.floor((Date.now() - began) / 1_000);
      expect(host.proxy.requests - before, host.name).toBeLessThanOrEqual(seconds + 1);
    }
  });
});
