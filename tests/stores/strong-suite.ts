// What every strong store must do, whatever is behind it. One suite, run against each of them on the real thing; orders are
// written through the monitor, as operators write them.
import { createMonitor } from "seawall/monitor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Answer } from "../../js/src/monitor/exchange.ts";
import { StrongHost, type StrongQuestion } from "../../js/src/monitor/strong-host.ts";
import type { Store } from "../../js/src/store/store.ts";
import { CHANGES_MAX, type Change, type StrongStore } from "../../js/src/store/strong.ts";
import { chance, isSerial, randomHistory } from "./history.ts";
import { expectNoSecrets, rejection } from "./suite.ts";
import { startWriter, versionLeft, type WriterProgram } from "./writer.ts";

/** A strong store with what it stands on. */
export interface StrongHarness {
  store: StrongStore;
  /** Another way to the same texts, as another isolate would have. */
  beside: StrongStore;
  /** A store whose server is gone; absent where nothing can be gone. */
  broken?: StrongStore;
  /** How it answers the questions of the routes itself, where another than the package's monitor asks them. */
  answer?: (question: StrongQuestion) => Promise<Answer>;
  /** How another process reaches the same texts; absent where none can. */
  program?: WriterProgram;
  /** Whether it refuses some calls when there are many at once, as a guarded client does. */
  refusesCrowds?: boolean;
  /** What no error may hold. */
  secrets?: string[];
  stop(): Promise<unknown>;
}

const WRITERS = 100;
/** As src/http/exchange.rs has it. */
const KEYS_MAX = 128;
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
  const admin = { writesPerMinute: 100_000 };
  const monitor = createMonitor({ databases, store, admin, adminToken: TOKEN, ...(cache && { cache }) });
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
  value: { kill: string[] } | null;
}

/** Does something until it is done, later each time that another came first. */
async function insist(isDone: () => Promise<boolean>): Promise<void> {
  for (let tries = 1; tries < 10_000; tries += 1) {
    if (await isDone()) return;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(tries * 100, 1_500)));
  }
  throw new Error("ten thousand others came first");
}

/** Adds a writer to an order, however often another comes first. */
async function sign(at: ReturnType<typeof operator>, name: string, writer: string, mayRefuse: boolean): Promise<void> {
  await insist(() => isSigned(at, name, writer, mayRefuse));
}

/** Tries once. */
async function isSigned(at: ReturnType<typeof operator>, name: string, writer: string, mayRefuse: boolean) {
  const found = await at.get(name);
  if (mayRefuse && found.status === 503) return false;
  expect(found.status).toBe(200);
  const { value, version } = (await found.json()) as OrderDocument;
  const writers = value?.kill ?? [];
  // A write whose outcome was unknown was done after all.
  if (mayRefuse && writers.includes(writer)) return true;
  const written = await at.put(name, found.headers.get("etag") ?? "", { version: 1, kill: [...writers, writer] });
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

    it("makes all changes of a swap or none, whichever of them does not hold", async () => {
      const [one, two, three, four] = ["one", "two", "three", "four"].map((name) => newKey(name)) as [
        string,
        string,
        string,
        string,
      ];
      const keys = [one, two, three, four];
      const there = async (at = store) => Promise.all(keys.map((key) => at.read(key)));
      const put = (key: string, expected: string | null, text: string | null): Change => ({ key, expected, text });
      expect(await store.swap([put(one, null, "1"), put(two, null, "2"), put(three, null, "3")])).toBe(true);
      expect(await there(harness.beside)).toEqual(["1", "2", "3", null]);
      // What does not hold is the last, the first, or in the middle; wrong, missing, or there.
      for (const wrong of [
        [put(one, "1", "lost"), put(two, "2", null), put(four, null, "lost"), put(three, "x", "lost")],
        [put(one, "x", null), put(two, "2", "lost"), put(three, "3", null)],
        [put(one, "1", null), put(two, null, "lost"), put(three, "3", "lost")],
        [put(one, "1", "lost"), put(four, "4", null)],
        [put(one, "1", null), put(two, "2", null), put(four, "", null)],
        [put(one, "1", "lost"), put(three, null, null)],
        [put(four, null, null), put(three, null, null)],
      ]) {
        expect(await store.swap(wrong)).toBe(false);
        expect(await there()).toEqual(["1", "2", "3", null]);
      }
      // Something is made, something replaced, something removed, something only depended on.
      const all = [put(four, null, "4 ☃\u0000"), put(one, "1", "1!"), put(two, "2", null), put(three, "3", "3")];
      expect(await store.swap(all)).toBe(true);
      expect(await there(harness.beside)).toEqual(["1!", null, "3", "4 ☃\u0000"]);
      expect(await store.swap(all)).toBe(false);
      expect(await store.swap([put(two, null, null), put(one, "1!", "1!")])).toBe(true);
      expect(await store.swap([put(one, "1!", null), put(three, "3", null), put(four, "4 ☃\u0000", null)])).toBe(true);
      expect(await store.swap(keys.map((key) => put(key, null, null)))).toBe(true);
      expect(await there(harness.beside)).toEqual([null, null, null, null]);
    });

    it(`takes up to ${CHANGES_MAX} changes of different keys, and refuses others before it writes`, async () => {
      const under = `${newKey("swap")}/`;
      const made = Array.from(
        { length: CHANGES_MAX + 1 },
        (_, number): Change => ({ key: `${under}${number}`, expected: null, text: "Zm9v".repeat(2_000) }),
      );
      const whole = made.slice(1);
      const [first] = made as [Change];
      for (const wrong of [
        [],
        made,
        [first, ...whole.slice(1), { ...first, text: "twice" }],
        [{ ...first, key: "" }],
      ]) {
        expect((await rejection(() => store.swap(wrong))).message).toMatch(/1 to 32 changes|of one key|not empty/);
      }
      expect(await store.list(under)).toEqual([]);
      expect(await store.swap(whole)).toBe(true);
      expect(await store.list(under)).toEqual(whole.map(({ key }) => key).sort());
      expect(await store.swap(whole.map(({ key, text }) => ({ key, expected: text, text: null })))).toBe(true);
      expect(await store.list(under)).toEqual([]);
    });

    it("every random history of clients that read and swap several keys at once is that of some order", async () => {
      const seed = Number(process.env.SEED ?? Date.now() % 2 ** 32);
      const random = chance(seed);
      for (let round = 0; round < 20; round += 1) {
        const under = newKey("history");
        const names = ["a", "b", "c", "d"].map((name) => `${under}/${name}`);
        const history = await randomHistory([store, harness.beside], names, random);
        expect(isSerial(history), `SEED=${seed}: ${JSON.stringify(history)}`).toBe(true);
      }
    }, 180_000);

    it(`loses no swap of ${WRITERS} writers of overlapping keys at once, and halves none`, async () => {
      const under = newKey("overlapping");
      const names = Array.from({ length: 8 }, (_, number) => `${under}/${number}`);
      const mayRefuse = harness.refusesCrowds === true;
      const keysOf = (writer: number) => [0, 1, 3].map((step) => names[(writer * 3 + step) % names.length] as string);
      const sign = async (writer: number): Promise<boolean> => {
        const at = writer % 2 === 0 ? store : harness.beside;
        const changes: Change[] = [];
        for (const key of keysOf(writer)) {
          const expected = await at.read(key);
          // A swap whose outcome was unknown was done after all: then it was done everywhere.
          if (mayRefuse && expected?.includes(`<${writer}>`)) return true;
          changes.push({ key, expected, text: `${expected ?? ""}<${writer}>` });
        }
        return at.swap(changes);
      };
      const tried = (writer: number) => {
        const once = sign(writer);
        return mayRefuse ? once.catch(() => false) : once;
      };
      const writers = Array.from({ length: WRITERS }, (_, writer) => writer);
      await Promise.all(writers.map((writer) => insist(() => tried(writer))));
      for (const key of names) {
        const signed = ((await store.read(key)) ?? "").slice(1, -1).split("><").map(Number);
        const expected = writers.filter((writer) => keysOf(writer).includes(key));
        expect(signed.sort((one, other) => one - other)).toEqual(expected);
      }
    }, 180_000);

    it("forgets nothing, however much is put", async () => {
      const under = `${newKey("many")}/`;
      const names = Array.from({ length: 1_020 }, (_, number) => `${under}${String(number).padStart(4, "0")}`);
      // A few at once: what becomes of crowds is tried above, and a database may refuse those.
      for (let at = 0; at < names.length; at += 10) {
        const put = await Promise.all(names.slice(at, at + 10).map((name) => swapOne(store, name, null, name)));
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

    it(`answers whatever the routes ask of it, and reads up to ${KEYS_MAX} texts at once in the order of their keys`, async () => {
      const under = `${newKey("asked")}/`;
      const names = Array.from({ length: KEYS_MAX }, (_, number) => `${under}${String(number).padStart(3, "0")}`);
      // One in four is not there.
      const texts = new Map(names.filter((_, number) => number % 4 > 0).map((name) => [name, `☃ "${name}" \u0000`]));
      const there = [...texts].map(([key, text]): Change => ({ key, expected: null, text }));
      const host = new StrongHost(store, undefined);
      for (const answer of [host.answer.bind(host), ...(harness.answer ? [harness.answer] : [])]) {
        for (let at = 0; at < there.length; at += CHANGES_MAX) {
          const changes = there.slice(at, at + CHANGES_MAX);
          expect(await answer({ ask: "swap", changes })).toEqual({ swapped: true });
          expect(await answer({ ask: "swap", changes })).toEqual({ swapped: false });
        }
        const readAll = async (keys: string[]) => {
          const expected = { texts: keys.map((key) => texts.get(key) ?? null) };
          expect(await answer({ ask: "readAll", keys })).toEqual(expected);
        };
        await readAll(names);
        await readAll([...names].reverse());
        await readAll(names.slice(0, 1));
        await readAll(names.slice(1, 2));
        await readAll([names[1], names[0], names[1], names[4], names[2]] as string[]);
        const [key = ""] = texts.keys();
        expect(await answer({ ask: "read", key })).toEqual({ text: texts.get(key) });
        expect(await answer({ ask: "read", key: `${under}nothing` })).toEqual({ text: null });
        expect(await answer({ ask: "list", prefix: under })).toEqual({ keys: [...texts.keys()] });
        expect(await answer({ ask: "list", prefix: `${under}nothing` })).toEqual({ keys: [] });
        for (let at = 0; at < there.length; at += CHANGES_MAX) {
          const gone = there.slice(at, at + CHANGES_MAX).map(({ key, text }) => ({ key, expected: text, text: null }));
          expect(await answer({ ask: "swap", changes: gone })).toEqual({ swapped: true });
        }
        expect(await answer({ ask: "readAll", keys: names })).toEqual({ texts: names.map(() => null) });
        const tooMany = names
          .slice(0, CHANGES_MAX + 1)
          .map((name): Change => ({ key: name, expected: null, text: "x" }));
        expect(await answer({ ask: "swap", changes: tooMany })).toEqual({
          failed: expect.stringContaining("32 changes"),
        });
      }
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
      expect([...(found.value?.kill ?? [])].sort()).toEqual([...names].sort());
      for (const seen of await Promise.all(readers)) {
        expect(seen).toEqual([...seen].sort((one, other) => one - other));
      }
    }, 180_000);

    it("a writer that dies between any two steps leaves all of a swap or nothing, and keeps nobody out", async () => {
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
        const version = await versionLeft(store, key);
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
      const calls = [
        () => broken.read(newKey()),
        () => swapOne(broken, newKey(), null, "x"),
        () => broken.list(prefix),
      ];
      for (const error of await Promise.all(calls.map(rejection))) {
        expect(error).toBeInstanceOf(Error);
        expect(error.message).not.toMatch(/it (hangs|resolved)/);
        expectNoSecrets(error, secrets);
      }
      const host = new StrongHost(broken, undefined);
      const questions: StrongQuestion[] = [
        { ask: "read", key: newKey() },
        { ask: "readAll", keys: [newKey(), newKey()] },
        { ask: "swap", changes: [{ key: newKey(), expected: null, text: "x" }] },
        { ask: "list", prefix },
      ];
      for (const answer of await Promise.all(questions.map((question) => host.answer(question)))) {
        expect(answer).toEqual({ failed: expect.any(String) });
        expectNoSecrets(JSON.stringify(answer), secrets);
      }
      const at = operator(broken);
      for (const response of [await at.get("kill"), await at.put("kill", "*", {})]) {
        expect(response.status).toBe(503);
        expectNoSecrets(await response.text(), [...secrets, TOKEN]);
      }
    });
  });
}
