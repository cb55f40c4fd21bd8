// Workers KV and the Cache API in workerd.
import type { Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cacheApiStore } from "../../js/src/store/cache-api.ts";
import { workersKvStore } from "../../js/src/store/workers-kv.ts";
import { storeAt } from "./over-http.ts";
import { storeSuite } from "./suite.ts";
import { startStores } from "./workerd.ts";

let miniflare: Miniflare;
let url: URL;

beforeAll(async () => {
  miniflare = await startStores();
  url = await miniflare.ready;
});
afterAll(() => miniflare?.dispose());

const harness = (name: string, broken: string) => async () => {
  const [store, beside, gone] = await Promise.all([storeAt(url, name), storeAt(url, name), storeAt(url, broken)]);
  return { store, beside, broken: gone, stop: async () => {} };
};

storeSuite(
  "Workers KV",
  { compareAndSet: false, writesPerSecond: 1, ttl: "later", list: true },
  harness("workers-kv", "workers-kv-gone"),
);
storeSuite(
  "Cache API",
  { compareAndSet: false, writesPerSecond: undefined, ttl: "sooner", list: false },
  harness("cache-api", "cache-api-gone"),
);
storeSuite(
  "Cache API, a cache of its own",
  { compareAndSet: false, writesPerSecond: undefined, ttl: "sooner", list: false },
  harness("cache-api-named", "cache-api-gone"),
);

describe("Workers KV", () => {
  it("is written with an expiry of a minute at least", async () => {
    const store = await storeAt(url, "workers-kv");
    const before = Date.now() / 1_000;
    await store.put("brief", "text", 0.5);
    await store.put("hour", "text", 3_600);
    const { keys } = await (await miniflare.getKVNamespace("HINTS")).list();
    const left = (name: string) => (keys.find((key) => key.name === name)?.expiration ?? 0) - before;
    expect(left("brief")).toBeGreaterThanOrEqual(58);
    expect(left("brief")).toBeLessThan(120);
    expect(left("hour")).toBeGreaterThan(3_590);
  });

  it("lists more keys than a page holds", async () => {
    const kv = await miniflare.getKVNamespace("HINTS");
    const names = Array.from({ length: 1_003 }, (_, index) => `pages/${String(index).padStart(4, "0")}`);
    await Promise.all(names.map((name) => kv.put(name, "text")));
    expect(await (await storeAt(url, "workers-kv")).list?.("pages/")).toEqual(names);
  });

  it("a binding that is missing is an error that says so", () => {
    expect(() => workersKvStore(undefined as never)).toThrow("workersKvStore needs a KV namespace, as it is bound");
  });

  it("a namespace that cannot list is a store that cannot", () => {
    const store = workersKvStore({ get: async () => null, put: async () => {} });
    expect(store.caps.list).toBe(false);
    expect(store.list).toBeUndefined();
  });
});

describe("Cache API", () => {
  it("is refused where there is none, and where its origin is none", () => {
    expect(() => cacheApiStore()).toThrow("Leave `near` out here");
    const cache = { match: async () => undefined, put: async () => {} };
    for (const origin of ["seawall", "", "file:///x"]) {
      expect(() => cacheApiStore({ cache, origin })).toThrow("origin is the beginning of a URL");
    }
  });

  it("forgets in time even where the cache does not", async () => {
    let kept: Response | undefined;
    const cache = {
      match: async () => kept?.clone(),
      put: async (_: string, response: Response) => {
        kept = response;
      },
    };
    const store = cacheApiStore({ cache });
    await store.put("key", "text", 60);
    expect(await store.get("key")).toBe("text");
    await store.put("key", "text", 0);
    expect(await store.get("key")).toBeNull();
    kept = new Response("a page of somebody else");
    expect(await store.get("key")).toBeNull();
  });
});
