// The whole cache, slots included, against a list of what should be in it: seeded histories of reads, writes and time.
import { describe, expect, test } from "vitest";
import { numbers, zipf } from "../../tests/support/zipf.mjs";
import { type Loading, QueryCache } from "../src/cache/query-cache.ts";
import { ResultSetImpl } from "../src/rows.ts";
import { settingsOf } from "../src/settings.ts";
import { platformOf } from "./guards.ts";

const ENTRIES_MAX = 4;
const TTL = 100;
const STALE = 60;
const ON_ERROR = 200;
const START = 1_800_000_000_000;

/** A cache on a hand-set clock; a read gives what `load` gives. */
class Rig {
  now = START;
  readonly cache: QueryCache;

  constructor(queryCache: Record<string, number | boolean>) {
    const platform = platformOf({ now: () => this.now });
    this.cache = new QueryCache(
      settingsOf({ queryCache: { enabled: true, ...queryCache } }, "model", platform),
      platform,
    );
  }

  async read(key: number, load: () => Promise<number>): Promise<{ value: unknown; isStale: boolean }> {
    const prepare = (): Loading => ({
      operation: { class: "query", kind: "read" },
      index: "",
      load: async () => new ResultSetImpl(["value"], [""], [{ 0: await load(), length: 1 } as never], 0, undefined),
    });
    const result = await this.cache.read("SELECT v FROM t WHERE k = ?", [key], undefined, "", prepare);
    return { value: result.rows[0]?.[0], isStale: result.seawall?.stale === true };
  }
}

/** What should be kept, the least recently used first. */
class Model {
  entries: { key: number; value: number; at: number }[] = [];
  readonly counts = { hits: 0, stale: 0, misses: 0, evictions: 0, staleOnError: 0, loads: 0 };

  read(key: number, now: number, load: () => number | undefined): { value: number; isStale: boolean } | undefined {
    const place = this.entries.findIndex((entry) => entry.key === key);
    const entry = place < 0 ? undefined : this.entries.splice(place, 1)[0];
    const age = entry === undefined ? Number.POSITIVE_INFINITY : now - entry.at;
    if (entry !== undefined && age <= TTL + ON_ERROR) this.entries.push(entry);
    if (entry !== undefined && age <= TTL) {
      this.counts.hits += 1;
      return { value: entry.value, isStale: false };
    }
    const isStale = entry !== undefined && age <= TTL + STALE;
    this.counts[isStale ? "stale" : "misses"] += 1;
    this.counts.loads += 1;
    const loaded = load();
    if (loaded !== undefined) this.#keep(key, loaded, now);
    if (entry !== undefined && isStale) return { value: entry.value, isStale: true };
    if (loaded !== undefined) return { value: loaded, isStale: false };
    if (entry === undefined || age > TTL + ON_ERROR) return undefined;
    this.counts.staleOnError += 1;
    return { value: entry.value, isStale: true };
  }

  #keep(key: number, value: number, at: number): void {
    this.entries = this.entries.filter((entry) => entry.key !== key);
    while (this.entries.length >= ENTRIES_MAX) {
      this.entries.shift();
      this.counts.evictions += 1;
    }
    this.entries.push({ key, value, at });
  }
}

describe("the cache and its model", () => {
  test("QC-07, QC-06: agree on every answer and every count of 400 histories", { timeout: 60_000 }, async () => {
    for (let seed = 1; seed <= 400; seed += 1) {
      const random = numbers(seed);
      const upTo = (limit: number) => Math.floor(random() * limit);
      const rig = new Rig({ maxSize: ENTRIES_MAX, ttl: TTL, staleWhileRevalidate: STALE, staleIfError: ON_ERROR });
      const model = new Model();
      for (let step = 0; step < 60; step += 1) {
        rig.now += upTo(50);
        const what = random();
        if (what < 0.05) {
          const end = rig.cache.beginWrite(undefined);
          const isWritten = random() < 0.5;
          end(isWritten ? 1 : 0);
          if (isWritten) model.entries = [];
          continue;
        }
        const key = upTo(8);
        const isDown = what < 0.25;
        const expected = model.read(key, rig.now, () => (isDown ? undefined : step));
        const down = () => Object.assign(new Error("down"), DOWN);
        const got = await rig.read(key, async () => (isDown ? Promise.reject(down()) : step)).catch(() => undefined);
        // A load in the background ends in the next turns.
        for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
        expect(got, `seed ${seed}, step ${step}`).toEqual(expected);
        const { bytes: _, shared: __, entries, ...counts } = rig.cache.stats();
        expect({ ...counts, entries }, `seed ${seed}, step ${step}`).toEqual({
          ...model.counts,
          entries: model.entries.length,
        });
      }
    }
  });

  test("QC-08: no read shows less than a write that had ended when it began, in any order of endings", async () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      const random = numbers(seed);
      const rig = new Rig({ maxSize: ENTRIES_MAX });
      /** What the database holds, and what a reader who begins now must see at least. */
      let [version, ended] = [0, 0];
      const pending: (() => void)[] = [];
      const running: Promise<void>[] = [];
      const later = () => new Promise<void>((resolve) => pending.push(resolve));
      for (let step = 0; step < 80; step += 1) {
        rig.now += 1;
        const what = random();
        if (what < 0.35) {
          const least = ended;
          const load = async () => {
            if (random() < 0.5) await later();
            const seen = version;
            await later();
            return seen;
          };
          const check = ({ value }: { value: unknown }) => {
            if ((value as number) < least) throw new Error(`seed ${seed}: read ${value}, must see ${least}`);
          };
          running.push(rig.read(Math.floor(random() * 3), load).then(check));
        } else if (what < 0.5) {
          const end = rig.cache.beginWrite(undefined);
          const write = async () => {
            await later();
            version += 1;
            const mine = version;
            await later();
            end(1);
            ended = Math.max(ended, mine);
          };
          running.push(write());
        } else {
          pending.splice(Math.floor(random() * pending.length), 1)[0]?.();
          for (let turn = 0; turn < 4; turn += 1) await Promise.resolve();
        }
      }
      while (pending.length > 0) {
        pending.shift()?.();
        for (let turn = 0; turn < 12; turn += 1) await Promise.resolve();
      }
      await Promise.all(running);
    }
  });
});

const DOWN = { [Symbol.for("seawall.Failure")]: { status: 503, code: "", sent: true } };

test("QC-09: a Zipf workload is served from memory to 85 %", async () => {
  // 10,000 keys with s = 1.1, 2,500 entries, one read a millisecond, nothing written, the first 20,000 reads not counted.
  const rig = new Rig({ maxSize: 2_500 });
  const draw = zipf(10_000, 1.1);
  const read = async (times: number) => {
    for (let i = 0; i < times; i += 1) {
      rig.now += 1;
      await rig.read(draw(), async () => 1);
    }
    return rig.cache.stats();
  };
  const before = await read(20_000);
  const after = await read(50_000);
  expect((after.hits - before.hits) / 50_000).toBeGreaterThan(0.85);
});
