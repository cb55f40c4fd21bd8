// Data centres that share Workers KV in workerd, and the view that each has of all.
import type { Miniflare } from "miniflare";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Driver } from "../../js/src/driver.ts";
import { attachFailure, LibsqlError } from "../../js/src/errors.ts";
import { createGuard } from "../../js/src/guard.ts";
import type { Operation } from "../../js/src/operation.ts";
import type { Store } from "../../js/src/store/store.ts";
import { storeAt } from "./over-http.ts";
import { startStores } from "./workerd.ts";

const DATABASE = "database.example";
const READ: Operation = { class: "query", kind: "read" };
const ANSWER_LIMIT_MS = 10_000;

let miniflare: Miniflare;
let store: Store;

beforeAll(async () => {
  miniflare = await startStores();
  store = await storeAt(await miniflare.ready, "workers-kv");
});
afterAll(() => miniflare?.dispose());

function isolate(colo: string, quorum = 0.5): Driver {
  const circuitBreaker = { failureThreshold: 3, recoveryTimeout: 30_000 };
  return createGuard({ circuitBreaker, state: { store, colo, quorum, writeJitter: 0 } }, DATABASE);
}

/** An isolate of `colo` whose circuit opens, and is closed again by hand if it is to be; returns when KV has it. */
async function tell(colo: string, state: "OPEN" | "CLOSED"): Promise<void> {
  const guard = isolate(colo);
  for (let failures = 0; failures < 3; failures += 1) {
    const down = attachFailure(new LibsqlError("down", "SERVER_ERROR"), { status: 503, code: "", sent: true });
    await guard.run({ ...READ, held: true }, () => Promise.reject(down)).catch(() => {});
  }
  if (state === "CLOSED") guard.resetBreaker();
  const limit = Date.now() + ANSWER_LIMIT_MS;
  for (;;) {
    const { colos } = await isolate("NRT").fleet();
    if (colos.some((found) => found.colo === colo && found.state === state)) return;
    if (Date.now() > limit) throw new Error(`${colo} is not ${state} in KV: ${JSON.stringify(colos)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

it("one open colo of three is its own trouble, two of three are everybody's", async () => {
  await tell("FRA", "CLOSED");
  await tell("LHR", "CLOSED");
  await tell("AMS", "OPEN");
  const one = isolate("NRT");
  expect(await one.fleet()).toMatchObject({ isOpen: false, openWeight: 3, totalWeight: 9, skipped: 0, unread: 0 });
  expect(one.status().breaker.state).toBe("CLOSED");

  await tell("IAD", "OPEN");
  await (await miniflare.getKVNamespace("HINTS")).delete(`seawall/v1/${DATABASE}/LHR`);
  const two = isolate("NRT");
  const view = await two.fleet();
  expect(view).toMatchObject({ isOpen: true, openWeight: 6, totalWeight: 9 });
  expect(view.colos.map(({ colo, state }) => `${colo} ${state}`)).toEqual(["AMS OPEN", "FRA CLOSED", "IAD OPEN"]);
  expect(two.status().breaker.state, "advice").toBe("HALF_OPEN");
  expect((await isolate("NRT", 0.7).fleet()).isOpen).toBe(false);
});
