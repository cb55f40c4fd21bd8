// What every strong store must do, whatever is behind it. One suite, run against each of them on the real thing; orders are
// written through the monitor, as operators write them.
import { createMonitor } from "seawall/monitor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Store } from "../../js/src/store/store.ts";
import type { StrongStore } from "../../js/src/store/strong.ts";
import { expectNoSecrets, rejection } from "./suite.ts";
import { startWriter, type WriterProgram } from "./writer.ts";

/** A strong store with what it stands on. */
export interface StrongHarness {
  store: StrongStore;
  /** Another way to the same texts, as another isolate would have. */
  beside: StrongStore;
  /** A store whose server is gone; absent where nothing can be gone. */
  broken?: StrongStore;
  /** How another process reaches the same texts; absent where none can. */
  program?: WriterProgram;
  /** Whether it refuses some calls when there are many at once, as a guarded client does. */
  refusesCrowds?: boolean;
  /** What no error may hold. */
  secrets?: string[];
  stop(): Promise<unknown>;
}

const WRITERS = 100;
const READERS = 4;
const TOKEN = "t0ken-of-the-operator-that-nobody-may-see";

const prefix = `sééwall*?[a]%2F'"\\-${Date.now().toString(36)}/`;
let keys = 0;

function newKey(name = "key"): string {
  keys += 1;
  return `${prefix}${keys}/${name}`;
}

/** A swap of one key. */
export function swapOne(store: StrongStore, key: string, expected: string | null, text: string | null) {
  return store.swap([{ key, expected, text }]);
}

/** A store whose orders are of their own, because all suites of one server write the same ones. */
function within(store: StrongStore, folder: string): StrongStore {
  return {
    name: store.name,
    read: (key) => store.read(folder + key),
    swap: (changes) => store.swap(changes.map((change) => ({ ...change, key: folder + change.key }))),
    list: async (start) => (await store.list(folder + start)).map((key) => key.slice(folder.length)),
  };
}

/** A database that nobody asks here. */
const databases = { primary: { seawall: { status: () => ({}), healthCheck: async () => true } } };

/** An operator at a monitor over a store. */
export function operator(store: StrongStore, cache?: Store) {
  const monitor = createMonitor({ databases, store, adminToken: TOKEN, ...(cache && { cache }) });
  const ask = (name: string, method: string, headers: Record<string, string>, body?: unknown, query = "") =>
    monitor.handle(
      new Request(`https://example.com/admin/api/orders/${name}${query}`, {
        method,
        headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
    );
  return {
    get: (name: string, query = "") => ask(name, "GET", {}, undefined, query),
    put: (name: string, ifMatch: string, value: unknown) =>
      ask(name, "PUT", { "if-match": ifMatch }, { value, reason: "a test" }),
  };
}

interface OrderDocument {
  version: number;
  value: { writers: string[] } | null;
}

/** Adds a writer to an order, however often another comes first. */
async function sign(at: ReturnType<typeof operator>, name: string, writer: string, mayRefuse: boolean): Promise<void> {
  for (let tries = 1; tries < 10_000; tries += 1) {
    if (await isSigned(at, name, writer, mayRefuse)) return;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(tries * 100, 1_500)));
  }
  throw new Error("ten thousand others came first");
}

/** Tries once. */
async function isSigned(at: ReturnType<typeof operator>, name: string, writer: string, mayRefuse: boolean) {
  const found = await at.get(name);
  if (mayRefuse && found.status === 503) return false;
  expect(found.status).toBe(200);
  const { value, version } = (await found.json()) as OrderDocument;
  const writers = value?.writers ?? [];
  // A write whose outcome was unknown was done after all.
  if (mayRefuse && writers.includes(writer)) return true;
  const written = await at.put(name, found.headers.get("etag") ?? "", { writers: [...writers, writer] });
  if (mayRefuse && written.status === 503) return false;
  const answer = (await written.json()) as { version: number; expectedVersion: number; currentVersion: number };
  if (written.status === 200) {
    expect(answer.version).toBe(version + 1);
    return true;
  }
  expect([409, 412]).toContain(written.status);
  expect(answer.expectedVersion).toBe(version);
  if (!mayRefuse) expect(answer.currentVersion).toBeGreaterThan(version);
  return false;
}

/** Registers the suite for one strong store. */
export function strongStoreSuite(title: string, start: () => Promise<StrongHarness>): void {
  describe(title, () => {
    let harness: StrongHarness;
    let store: StrongStore;

    beforeAll(async () => {
      harness = await start();
      store = harness.store;
    });
    afterAll(() => harness?.stop());

    it("has nothing under a key that nobody has put, and a name", async () => {
      expect(await store.read(newKey())).toBeNull();
      expect(store.name).toMatch(/^[a-z-]+$/);
    });

    it.each([
      ["nothing", ""],
      ["nothing but digits", "0123456789"],
      ["what JSON would read as something else", '{"a":1e5}'],
      ["as long a text as there is", "Zm9v".repeat(20_000)],
      ["letters of all kinds", "ünï ☃ 🌊 \u0000 \n \r\n ' \" \\ %41 end"],
    ])("gives back %s as it was put, also elsewhere", async (_, text) => {
      const key = newKey();
      expect(await swapOne(store, key, null, text)).toBe(true);
      expect(await store.read(key)).toBe(text);
      expect(await harness.beside.read(key)).toBe(text);
      expect(await swapOne(harness.beside, key, text, `${text}.`)).toBe(true);
      expect(await store.read(key)).toBe(`${text}.`);
    });

    it.each(["plain", "orders/config", "ключ ☃ 🌊", "a?b=c&d#e", "..", "%2e%2e/%00", "__proto__", "x".repeat(300)])(
      "keeps texts under the key %s apart from others",
      async (name) => {
        const [key, other] = [newKey(name), newKey(name)];
        expect(await swapOne(store, key, null, "ours")).toBe(true);
        expect(await store.read(key)).toBe("ours");
        expect(await store.read(other)).toBeNull();
      },
    );

    it("swaps what was expected, and nothing else", async () => {
      const key = newKey();
      expect(await swapOne(store, key, "0", "lost")).toBe(false);
      expect(await swapOne(store, key, "", "lost")).toBe(false);
      expect(await swapOne(store, key, null, "first")).toBe(true);
      expect(await swapOne(store, key, null, "lost")).toBe(false);
      expect(await swapOne(store, key, "firs", "lost")).toBe(false);
      expect(await swapOne(store, key, "FIRST", "lost")).toBe(false);
      expect(await store.read(key)).toBe("first");
      expect(await swapOne(store, key, "first", "second ☃")).toBe(true);
      expect(await swapOne(store, key, "first", "lost")).toBe(false);
      expect(await swapOne(store, key, "second ☃", "second ☃")).toBe(true);
      expect(await store.read(key)).toBe("second ☃");
    });

    it("takes away what was expected, and nothing else", async () => {
      const key = newKey();
      expect(await swapOne(store, key, null, null)).toBe(true);
      expect(await swapOne(store, key, "x", null)).toBe(false);
      await swapOne(store, key, null, "here");
      expect(await swapOne(store, key, null, null)).toBe(false);
      expect(await swapOne(store, key, "x", null)).toBe(false);
      expect(await store.read(key)).toBe("here");
      expect(await swapOne(store, key, "here", null)).toBe(true);
      expect(await store.read(key)).toBeNull();
      expect(await store.list(key)).toEqual([]);
      expect(await swapOne(store, key, null, "again")).toBe(true);
    });

    it("forgets nothing, however much is put", async () => {
      const under = `${newKey("many")}/`;
      const names = Array.from({ length: 1_020 }, (_, number) => `${under}${String(number).padStart(4, "0")}`);
      for (let at = 0; at < names.length; at += 34) {
        const put = await Promise.all(names.slice(at, at + 34).map((name) => swapOne(store, name, null, name)));
        expect(put).not.toContain(false);
      }
      expect(await store.list(under)).toEqual(names);
      expect(await store.read(names[0] ?? "")).toBe(names[0]);
    });

    it("lists the keys under a prefix, in order, and no others", async () => {
      const under = `${newKey("list*[x]?\\")}/`;
      const names = ["b/FRA", "a/AMS", "a/FRA", "ü"].map((name) => `${under}${name}`);
      for (const name of names) await swapOne(store, name, null, "text");
      await swapOne(store, `${under.slice(0, -1)}beside`, null, "text");
      await swapOne(store, `${under.toUpperCase()}c`, null, "text");
      expect(await store.list(under)).toEqual([...names].sort());
      expect(await store.list(`${under}a/`)).toEqual(names.slice(1, 3).sort());
      expect(await store.list(`${under}nothing`)).toEqual([]);
    });

    it(`loses no order of ${WRITERS} writers at once, and no reader goes back`, async () => {
      const folder = newKey("orders/");
      const mayRefuse = harness.refusesCrowds === true;
      const ways = [within(store, folder), within(harness.beside, folder)];
      // Each has a monitor of its own, as isolates do.
      const at = (index: number) => operator(ways[index % ways.length] as StrongStore);
      let isDone = false;
      const readers = Array.from({ length: READERS }, async (_, index) => {
        const reader = at(index);
        const seen: number[] = [];
        while (!isDone) {
          const answer = await reader.get("flags");
          const { version } = (await answer.json()) as OrderDocument;
          if (answer.status === 200 || !mayRefuse) seen.push(version);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        return seen;
      });
      const names = Array.from({ length: WRITERS }, (_, index) => `writer ${index}`);
      await Promise.all(names.map((name, index) => sign(at(index), "flags", name, mayRefuse))).finally(() => {
        isDone = true;
      });
      const found = (await (await at(0).get("flags")).json()) as OrderDocument;
      expect(found.version).toBe(WRITERS);
      expect([...(found.value?.writers ?? [])].sort()).toEqual([...names].sort());
      for (const seen of await Promise.all(readers)) {
        expect(seen).toEqual([...seen].sort((one, other) => one - other));
      }
    }, 180_000);

    it("a writer that dies between any two steps leaves the order before or the one after, and keeps nobody out", async () => {
      const { program } = harness;
      if (program === undefined) {
        // Memory has no other processes; the table is written by them through the other client.
        expect(["memory", "libsql"]).toContain(store.name);
        return;
      }
      const key = newKey("crash");
      let last = 0;
      for (let round = 0; round < 5; round += 1) {
        const writer = await startWriter(program, key);
        // Killed as soon as it has told of so many, wherever it is then.
        const told = await writer.killAfter(last + 3 + round);
        const text = (await store.read(key)) ?? "";
        expect(text).toMatch(/^(\d+):(\1,){2000}$/);
        const version = Number.parseInt(text, 10);
        expect(version === told || version === told + 1, `${told} was told, ${version} is there`).toBe(true);
        last = version;
      }
      expect(await swapOne(store, key, await store.read(key), "and on")).toBe(true);
    });

    it("rejects, and does not hang, when what is behind it is gone; and tells no secret", async () => {
      const { broken, secrets = [] } = harness;
      if (broken === undefined) {
        expect(["memory"]).toContain(store.name);
        return;
      }
      const calls = [() => broken.read(newKey()), () => swapOne(broken, newKey(), null, "x"), () => broken.list(prefix)];
      for (const error of await Promise.all(calls.map(rejection))) {
        expect(error).toBeInstanceOf(Error);
        expect(error.message).not.toMatch(/it (hangs|resolved)/);
        expectNoSecrets(error, secrets);
      }
      const at = operator(broken);
      for (const response of [await at.get("kill"), await at.put("kill", "*", {})]) {
        expect(response.status).toBe(503);
        expectNoSecrets(await response.text(), [...secrets, TOKEN]);
      }
    });
  });
}
