// The Durable Object of the deployable Worker, in workerd, through the binding of another Worker.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Answer } from "../../js/src/monitor/exchange.ts";
import { durableObjectStore } from "../../js/src/store/durable-object.ts";
import { asker, strongStoreAt } from "./over-http.ts";
import { strongStoreSuite, swapOne } from "./strong-suite.ts";
import { rejection } from "./suite.ts";
import { startStrongStores } from "./workerd.ts";
import { startWriter, versionLeft } from "./writer.ts";

let folder: string;
let miniflare: Miniflare;
let url: URL;

async function start(): Promise<void> {
  miniflare = await startStrongStores(folder);
  url = await miniflare.ready;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "seawall-object-"));
  await start();
});
afterAll(async () => {
  await miniflare?.dispose();
  await rm(folder, { recursive: true, force: true });
});

const program = () => ({
  imports: 'import { asker, strongStoreAt } from "./over-http.ts";',
  store: `strongStoreAt(${JSON.stringify(url.href)}, "durable-object")`,
});

strongStoreSuite("Durable Object", async () => {
  const [store, beside] = [strongStoreAt(url, "durable-object"), strongStoreAt(url, "durable-object")];
  return {
    store,
    beside,
    broken: strongStoreAt(url, "durable-object-gone"),
    answer: async (question) => (await asker(url, "durable-object-itself")("answer", question)) as Answer,
    program: program(),
    stop: async () => {},
  };
});

describe("the object", () => {
  it("keeps what it told of when its process dies in the middle of writes", async () => {
    const writer = await startWriter(program(), "dies");
    const told = writer.killAfter(1_000_000).catch((error: Error) => error.message);
    const store = strongStoreAt(url, "durable-object");
    while (Number.parseInt((await store.read("dies")) ?? "0", 10) < 5) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await miniflare.dispose();
    // The writer's own end: its store is gone.
    const last = Number(/at version (\d+)/.exec((await told) as string)?.[1]);
    await start();
    const version = await versionLeft(strongStoreAt(url, "durable-object"), "dies");
    expect([last, last + 1]).toContain(version);
  });

  it("of another name keeps other texts", async () => {
    const [ours, theirs] = [strongStoreAt(url, "durable-object"), strongStoreAt(url, "durable-object-of-another")];
    expect(await swapOne(ours, "one key", null, "ours")).toBe(true);
    expect(await theirs.read("one key")).toBeNull();
  });

  it("says what is wrong with a question, and goes on", async () => {
    const store = strongStoreAt(url, "durable-object");
    for (const wrong of [
      () => store.read(""),
      () => store.read("x".repeat(513)),
      () => swapOne(store, "key", null, "x".repeat(2_000_000)),
    ]) {
      expect((await rejection(wrong)).message).toMatch(/a (key has 1 to 512|text has at most 1900000) bytes/);
    }
    expect(await store.read("key")).toBeNull();
  });

  it("a binding that is missing, or to something else, is an error that says so", async () => {
    expect(() => durableObjectStore(undefined as never)).toThrow("durableObjectStore needs a Durable Object namespace");
    const answering = (response: Response) => ({ idFromName: () => 0, get: () => ({ fetch: async () => response }) });
    const other = durableObjectStore(answering(new Response("hello")));
    expect((await rejection(() => other.read("key"))).message).toContain("is the binding to the class SeawallStore?");
    const hanging = { idFromName: () => 0, get: () => ({ fetch: () => new Promise<never>(() => {}) }) };
    const error = await rejection(() => durableObjectStore(hanging, { timeout: 50 }).read("key"));
    expect(error.message).toBe("the durable object store did not answer within 50 ms");
  });
});
