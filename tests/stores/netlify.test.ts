// Netlify Blobs through its own client: against the server of the package, and against a stricter fake.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getStore } from "@netlify/blobs";
import { BlobsServer } from "@netlify/blobs/server";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { netlifyBlobsStore } from "../../js/src/store/netlify-blobs.ts";
import type { Store, StoreCaps } from "../../js/src/store/store.ts";
import { freePort } from "../support/sqld.mjs";
import { fakeBlobs } from "./fake-blobs.ts";
import { expectNoSecrets, rejection, storeSuite } from "./suite.ts";

const CAPS: StoreCaps = { compareAndSet: true, writesPerSecond: undefined, ttl: "exact", list: true };
const TOKEN = "nfp-t0ken-that-nobody-may-see";
const siteID = "11111111-2222-4333-8444-555555555555";

/** A store whose server is not there. */
async function gone(): Promise<Store> {
  const edgeURL = `http://127.0.0.1:${await freePort()}`;
  return netlifyBlobsStore(getStore({ name: "hints", siteID, token: TOKEN, edgeURL }), { timeout: 500 });
}

storeSuite("Netlify Blobs", CAPS, async () => {
  const address = { name: "hints", siteID, token: TOKEN, edgeURL: "http://blobs.invalid", fetch: fakeBlobs(TOKEN) };
  return {
    store: netlifyBlobsStore(getStore(address), { timeout: 30_000 }),
    beside: netlifyBlobsStore(getStore(address), { timeout: 30_000 }),
    broken: await gone(),
    secrets: [TOKEN],
    stop: async () => {},
  };
});

describe("Netlify Blobs on the package's own server", () => {
  let folder: string;
  let server: BlobsServer;
  let store: Store;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "seawall-blobs-"));
    server = new BlobsServer({ directory: folder, token: TOKEN, logger: () => {} });
    const { port } = await server.start();
    store = netlifyBlobsStore(getStore({ name: "hints", siteID, token: TOKEN, edgeURL: `http://localhost:${port}` }));
  });
  afterAll(async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it("has nothing, then what was put, then what was put last", async () => {
    const key = "seawall/v1/db.example/FRA";
    expect(await store.get(key)).toBeNull();
    await store.put(key, "Zm9v".repeat(2_304), 60);
    expect(await store.get(key)).toBe("Zm9v".repeat(2_304));
    await store.put(key, "ünï ☃", 60);
    expect(await store.get(key)).toBe("ünï ☃");
  });

  it("forgets in time, though the blob is still there", async () => {
    await store.put("seawall/brief", "text", 0.2);
    while ((await store.get("seawall/brief")) !== null) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await store.list?.("seawall/b")).toEqual(["seawall/brief"]);
  });

  it("lists the keys under a prefix", async () => {
    for (const colo of ["FRA", "AMS"]) await store.put(`listed/db/${colo}`, "text", 60);
    expect(await store.list?.("listed/")).toEqual(["listed/db/AMS", "listed/db/FRA"]);
  });

  it("creates once, and says why it cannot compare: this server gives no ETag", async () => {
    expect(await store.compareAndSet?.("created", null, "first", 60)).toBe(true);
    expect(await store.compareAndSet?.("created", null, "second", 60)).toBe(false);
    expect(await store.get("created")).toBe("first");
    const error = await rejection(() => (store as Required<Store>).compareAndSet("created", "first", "x", 60));
    expect(error.message).toContain("gives no ETag");
  });
});

it("a conditional write that failed is an error, though the client says that it was made", async () => {
  const failing: typeof fetch = async (_, init) => new Response(null, { status: init?.method === "put" ? 403 : 404 });
  const address = { name: "hints", siteID, token: TOKEN, edgeURL: "http://blobs.invalid", fetch: failing };
  const store = netlifyBlobsStore(getStore(address), { timeout: 30_000 }) as Required<Store>;
  const error = await rejection(() => store.compareAndSet("key", null, "text", 60));
  expect(error.message).not.toMatch(/it (hangs|resolved)/);
  expectNoSecrets(error, [TOKEN]);
});

it("what is no store of blobs is refused", () => {
  expect(() => netlifyBlobsStore("hints" as never)).toThrow('what getStore() of "@netlify/blobs" gives');
});
