// The deployable Worker's entry in workerd, before a core that dies: who is answered, and what comes after.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleWorker, type Module } from "../support/workerd.mjs";
import { workerModules } from "./alert-sites.ts";
import { type Rig, startRig } from "./rig.ts";

let rig: Rig;

beforeAll(async () => {
  const core = join(import.meta.dirname, "workers/mortal-core.ts");
  const entry = join(import.meta.dirname, "../../src/worker/entry.js");
  const modules = await bundleWorker(entry, { alias: { "seawall-core": core } });
  rig = await startRig((url) => ({
    mortal: { modules },
    real: { modules: realModules(), bindings: { TURSO_DATABASE_URL: url } },
  }));
});

afterAll(() => rig?.stop());

/**
 * The Worker as it is deployed, but that a request with the header `x-die` asks its allocator for a length that none has:
 * the instance ends as by a panic. No build can be asked for that; hence the test writes it into a copy.
 */
function realModules(): Module[] {
  const call = "guarded(() => fetch(request, env, ctx), request.signal)";
  return workerModules().map((module) => {
    if (module.type !== "ESModule") return module;
    const dying = `guarded(() => request.headers.has("x-die") ? wasm.__wbindgen_malloc(-16, 1) : fetch(request, env, ctx))`;
    const parts = String(module.contents).split(call);
    expect(parts, "the one place where it is called").toHaveLength(2);
    return { ...module, contents: parts.join(dying) };
  });
}

async function ask(path: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await rig.ask("mortal", path);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const RESTARTED = { status: 500, body: { error: { code: "INSTANCE_RESTARTED", message: expect.any(String) } } };

describe("a core that dies", () => {
  test.each(["/trap", "/late-trap", "/overflow", "/late-overflow"])(
    "H080: %s is answered with a problem, and the next request by a fresh instance that knows it is one",
    async (path) => {
      const before = (await ask("/")).body.generation as number;
      expect(await ask(path)).toEqual(RESTARTED);
      expect(await ask("/")).toEqual({ status: 200, body: { generation: before + 1, served: 1, successors: before } });
    },
  );

  test("requests that were in flight are answered at once instead of hanging", async () => {
    const slow = Promise.all([ask("/slow"), ask("/slow")]);
    const began = Date.now();
    expect(await ask("/late-trap")).toEqual(RESTARTED);
    expect(await slow).toEqual([RESTARTED, RESTARTED]);
    expect(Date.now() - began).toBeLessThan(10_000);
    expect((await ask("/")).status).toBe(200);
  });

  test("many deaths at once replace it once", async () => {
    const before = (await ask("/")).body.generation as number;
    for (const round of [1, 2, 3, 4, 5]) {
      const deaths = await Promise.all(Array.from({ length: 10 }, () => ask("/late-trap")));
      expect(deaths).toEqual(Array(10).fill(RESTARTED));
      expect((await ask("/")).body).toEqual({ generation: before + round, served: 1, successors: before + round - 1 });
    }
  });

  test("an error that is no trap keeps the instance", async () => {
    const before = await ask("/");
    expect(await ask("/error")).toMatchObject({ status: 500, body: { error: { code: "INTERNAL_ERROR" } } });
    expect((await ask("/")).body.generation).toBe(before.body.generation);
  });

  test("a scheduled event that dies leaves a fresh instance behind", async () => {
    const before = (await ask("/")).body.generation as number;
    const { scheduled } = await rig.miniflare.getWorker("mortal");
    await scheduled({ cron: "* * * * *" }).catch(() => {});
    expect((await ask("/")).body.generation).toBe(before + 1);
  });
});

test("H080: the deployed core that dies is replaced and counted, and serves the next request", async () => {
  const restarts = async () => {
    const text = await (await rig.ask("real", "/api/health/metrics?names=canonical")).text();
    return /^seawall_wasm_restarts_total\{module="worker"\} (\d+)$/m.exec(text)?.[1];
  };
  expect(await restarts()).toBe("0");
  const died = await rig.ask("real", "/api/health", { headers: { "x-die": "1" } });
  expect({ status: died.status, body: await died.json() }).toEqual(RESTARTED);
  expect((await rig.ask("real", "/api/health")).status).toBe(200);
  expect(await restarts()).toBe("1");
});
