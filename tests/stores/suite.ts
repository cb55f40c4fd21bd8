// What every store of hints must do, whatever is behind it. One suite, run against each of them.
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Store, StoreCaps } from "../../js/src/store/store.ts";

/** A store with what it stands on. */
export interface Harness {
  store: Store;
  /** Another way to the same texts, as another isolate would have. */
  beside: Store;
  /** A store whose server is gone; absent where nothing can be gone. */
  broken?: Store;
  /** What no error may hold. */
  secrets?: string[];
  stop(): Promise<unknown>;
}

/** A store must have answered or failed within this, in milliseconds. */
const ANSWER_LIMIT_MS = 5_000;
const LASTING_S = 600;
const INCREMENTS = 100;

/** Different for each run, with what file systems, URLs, SQL and patterns stumble over. */
const prefix = `sééwall/v1*?[a]%2F'"\\-${Date.now().toString(36)}/`;
let keys = 0;

function newKey(name = "database.example"): string {
  keys += 1;
  return `${prefix}${keys}/${name}`;
}

/** What a promise rejects with; fails when it resolves, or does neither. */
export async function rejection(work: () => Promise<unknown>): Promise<Error> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const hangs = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("it hangs")), ANSWER_LIMIT_MS);
  });
  const ended = work().then(
    (value) => {
      throw new Error(`it resolved with ${inspect(value)}`);
    },
    (error: Error) => error,
  );
  return Promise.race([ended, hangs]).finally(() => clearTimeout(timer));
}

/** Nothing that can be seen of an error, however deep, is one of these. */
export function expectNoSecrets(error: unknown, secrets: string[]): void {
  const seen = `${error}\n${inspect(error, { depth: 10, showHidden: true })}\n${JSON.stringify(error)}`;
  for (const secret of secrets) expect(seen).not.toContain(secret);
}

async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  const limit = Date.now() + ANSWER_LIMIT_MS;
  while (!(await isTrue())) {
    if (Date.now() > limit) throw new Error(`not within ${ANSWER_LIMIT_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Adds one to a number in the store, however often another comes first. */
async function increment(store: Required<Pick<Store, "get" | "compareAndSet">>, key: string): Promise<void> {
  for (let tries = 1; tries < 10_000; tries += 1) {
    const text = await store.get(key);
    if (await store.compareAndSet(key, text, String(Number(text ?? 0) + 1), LASTING_S)) return;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(tries, 50)));
  }
  throw new Error("ten thousand others came first");
}

/** Registers the suite for one store. */
export function storeSuite(title: string, caps: StoreCaps, start: () => Promise<Harness>): void {
  describe(title, () => {
    let harness: Harness;
    let store: Store;

    beforeAll(async () => {
      harness = await start();
      store = harness.store;
    });
    afterAll(() => harness?.stop());

    it("says what it promises, and has the methods for it", () => {
      expect(store.caps).toEqual(caps);
      expect(typeof store.compareAndSet).toBe(caps.compareAndSet ? "function" : "undefined");
      expect(typeof store.list).toBe(caps.list === true ? "function" : "undefined");
      expect(store.name).toMatch(/^[a-z-]+$/);
    });

    it("has nothing under a key that nobody has put", async () => {
      expect(await store.get(newKey())).toBeNull();
    });

    it.each([
      ["a word", "one"],
      ["nothing but digits", "0123456789"],
      ["what JSON would read as something else", '{"a":1e5}'],
      ["more than eight kilobytes", "Zm9v".repeat(2_304)],
      ["letters of all kinds", "ünï ☃ 🌊 \u0000 \n \r\n ' \" \\ %41 end"],
    ])("gives back %s as it was put", async (_, text) => {
      const key = newKey();
      await store.put(key, text, LASTING_S);
      expect(await store.get(key)).toBe(text);
      expect(await harness.beside.get(key)).toBe(text);
    });

    it.each(["plain", "db.example/path/FRA", "ключ ☃ 🌊", "a?b=c&d#e", "..", "%2e%2e/%00", "x".repeat(300)])(
      "keeps texts under the key %s apart from others",
      async (name) => {
        const [key, other] = [newKey(name), newKey(name)];
        await store.put(key, "ours", LASTING_S);
        expect(await store.get(key)).toBe("ours");
        expect(await store.get(other)).toBeNull();
      },
    );

    it("lets the last write win", async () => {
      const key = newKey();
      await store.put(key, "first", LASTING_S);
      await harness.beside.put(key, "second, and longer", LASTING_S);
      await store.put(key, "3", LASTING_S);
      expect(await store.get(key)).toBe("3");
    });

    if (caps.ttl === "exact" || caps.ttl === "sooner") {
      it("forgets a text when its time has passed, and not a lasting one", async () => {
        const [brief, lasting] = [newKey(), newKey()];
        await store.put(lasting, "lasting", LASTING_S);
        const began = Date.now();
        await store.put(brief, "brief", 1);
        expect(await store.get(brief)).toBe("brief");
        await until("the text is forgotten", async () => (await store.get(brief)) === null);
        expect(Date.now() - began).toBeGreaterThanOrEqual(900);
        expect(await store.get(lasting)).toBe("lasting");
      });
    }

    if (caps.list === true) {
      it("lists the keys under a prefix, in order, and no others", async () => {
        const under = `${newKey("list*[x]?\\")}/`;
        const names = ["b/FRA", "a/AMS", "a/FRA", "ü"].map((name) => `${under}${name}`);
        for (const name of names) await store.put(name, "text", LASTING_S);
        await store.put(`${under.slice(0, -1)}beside`, "text", LASTING_S);
        await store.put(`${under.toUpperCase()}c`, "text", LASTING_S);
        expect(await store.list?.(under)).toEqual([...names].sort());
        expect(await store.list?.(`${under}a/`)).toEqual(names.slice(1, 3).sort());
        expect(await store.list?.(`${under}nothing`)).toEqual([]);
      });
    }

    if (caps.compareAndSet) {
      const swap = (...args: Parameters<NonNullable<Store["compareAndSet"]>>) =>
        (store.compareAndSet as NonNullable<Store["compareAndSet"]>)(...args);

      it("puts a text where nothing is, once", async () => {
        const key = newKey();
        expect(await swap(key, null, "first", LASTING_S)).toBe(true);
        expect(await swap(key, null, "second", LASTING_S)).toBe(false);
        expect(await store.get(key)).toBe("first");
      });

      it("replaces the text that was expected, and no other", async () => {
        const key = newKey();
        await store.put(key, "0", LASTING_S);
        expect(await swap(key, "1", "lost", LASTING_S)).toBe(false);
        expect(await swap(key, "", "lost", LASTING_S)).toBe(false);
        expect(await store.get(key)).toBe("0");
        expect(await swap(key, "0", "ünï ☃ won", LASTING_S)).toBe(true);
        expect(await store.get(key)).toBe("ünï ☃ won");
        expect(await swap(newKey(), "0", "lost", LASTING_S)).toBe(false);
      });

      it("loses against a write that came in between", async () => {
        const key = newKey();
        await store.put(key, "seen", LASTING_S);
        const seen = await store.get(key);
        await harness.beside.put(key, "theirs", LASTING_S);
        expect(await swap(key, seen, "ours", LASTING_S)).toBe(false);
        expect(await store.get(key)).toBe("theirs");
      });

      it("takes what has been forgotten for nothing", async () => {
        const key = newKey();
        await store.put(key, "brief", 0.2);
        await until("the text is forgotten", async () => (await store.get(key)) === null);
        expect(await swap(key, "brief", "lost", LASTING_S)).toBe(false);
        expect(await swap(key, null, "won", LASTING_S)).toBe(true);
        expect(await store.get(key)).toBe("won");
      });

      it("forgets what it has put when its time has passed", async () => {
        const key = newKey();
        expect(await swap(key, null, "brief", 0.2)).toBe(true);
        await until("the text is forgotten", async () => (await store.get(key)) === null);
      });

      it(`loses none of ${INCREMENTS} increments at once`, async () => {
        const key = newKey();
        const ways = [store, harness.beside] as Required<Store>[];
        await Promise.all(
          Array.from({ length: INCREMENTS }, (_, index) => increment(ways[index % 2] as Required<Store>, key)),
        );
        expect(await store.get(key)).toBe(String(INCREMENTS));
      });
    }

    it("rejects, and does not hang, when what is behind it is gone; and tells no secret", async () => {
      const { broken, secrets = [] } = harness;
      if (broken === undefined) {
        expect(["memory"]).toContain(store.name);
        return;
      }
      const calls: (() => Promise<unknown>)[] = [
        () => broken.get(newKey()),
        () => broken.put(newKey(), "text", LASTING_S),
      ];
      if (caps.compareAndSet) calls.push(() => (broken as Required<Store>).compareAndSet(newKey(), null, "x", 1));
      if (caps.list === true) calls.push(() => (broken as Required<Store>).list(prefix));
      for (const error of await Promise.all(calls.map(rejection))) {
        expect(error).toBeInstanceOf(Error);
        expect(error.message).not.toMatch(/it (hangs|resolved)/);
        expectNoSecrets(error, secrets);
      }
    });
  });
}
