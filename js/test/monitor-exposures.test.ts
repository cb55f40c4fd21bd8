// What flags of an application have served, as its monitor adds it up.
import { expect, test } from "vitest";
import { createFlags } from "../src/flags/index.ts";
import { type Exposure, ExposureWatch } from "../src/monitor/exposures.ts";
import { createMonitor } from "../src/monitor/monitor.ts";

/** Flags that have served what they are told. */
function source(...counts: Exposure[]): { counts: Exposure[]; exposures(): readonly Exposure[] } {
  return {
    counts,
    exposures() {
      return this.counts;
    },
  };
}

const exposure = (flag: string, variant: string, count: number): Exposure => ({ flag, variant, count });

test("FLG-07: what several flags have served is added up, and what was counted stays when they end", () => {
  const watch = new ExposureWatch();
  const one = source(exposure("a", "on", 2));
  const other = source(exposure("a", "on", 1), exposure("a", "off", 5));
  const end = watch.watch(one);
  watch.watch(other);
  watch.watch(other);
  expect(watch.counts()).toEqual([exposure("a", "on", 3), exposure("a", "off", 5)]);
  one.counts = [exposure("a", "on", 7)];
  end();
  end();
  one.counts = [exposure("a", "on", 100)];
  expect(watch.counts()).toEqual([exposure("a", "on", 8), exposure("a", "off", 5)]);
});

test("a source that begins anew takes nothing back, and what is no count is left out", () => {
  const watch = new ExposureWatch();
  const one = source(exposure("a", "on", 10));
  watch.watch(one);
  watch.counts();
  one.counts = [exposure("a", "on", 3), exposure("b", "on", -1), exposure("c", "on", Number.NaN)];
  expect(watch.counts()).toEqual([exposure("a", "on", 13)]);
});

test("pairs and sources are bounded", () => {
  const watch = new ExposureWatch();
  const many = Array.from({ length: 1_500 }, (_, at) => exposure(`flag-${at}`, "on", 1));
  watch.watch(source(...many));
  const counts = watch.counts();
  expect(counts.length).toBe(1_001);
  expect(counts.at(-1)).toEqual(exposure("other", "other", 500));
  for (let at = 1; at < 100; at += 1) watch.watch(source());
  expect(() => watch.watch(source())).toThrow(RangeError);
  expect(() => watch.watch({} as never)).toThrow(TypeError);
});

test("FLG-07: users who were not split as they should be are told, and looked for every ten seconds at most", () => {
  const watch = new ExposureWatch();
  let asked = 0;
  const mismatch = { flag: "banner", pValue: 0.0001, rules: [] };
  watch.watch({
    exposures: () => [],
    mismatches() {
      asked += 1;
      return Array.from({ length: 15 }, () => mismatch);
    },
  });
  watch.watch(source());
  watch.watch({
    exposures: () => [],
    mismatches() {
      throw new Error("mismatches is for flags of seawall/flags: seawall/flags/snapshot lacks it");
    },
  });
  expect(watch.mismatches(1_000)).toHaveLength(15);
  expect([watch.mismatches(10_999).length, asked]).toEqual([15, 1]);
  watch.mismatches(11_000);
  // A clock that stepped back is no reason to wait.
  watch.mismatches(0);
  expect(asked).toBe(3);
  watch.watch({ exposures: () => [], mismatches: () => Array.from({ length: 15 }, () => mismatch) });
  expect(watch.mismatches(20_000)).toHaveLength(20);
});

test("FLG-07: the status of a monitor tells which flags of its application lose users, and no score falls", () => {
  const rules = [{ id: "half", serve: { A: 50, B: 50 } }];
  const definitions = { version: 1, flags: { button: { variants: { A: 1, B: 2 }, default: "A", rules } } };
  const variants = createFlags({ definitions, env: {} });
  const variantOf = (targetingKey: string) => variants.for({ targetingKey }).numberDetails("button").variant;
  const ids = Array.from({ length: 400 }, (_, at) => `user-${at}`);
  const statusOf = (those: readonly string[]) => {
    const flags = createFlags({ definitions, env: {} });
    for (const targetingKey of those) flags.for({ targetingKey }).number("button");
    const healthy = { seawall: { status: () => ({ breaker: { state: "CLOSED" } }), healthCheck: async () => true } };
    const monitor = createMonitor({ databases: { primary: healthy } });
    const end = monitor.watchFlags(flags);
    const status = monitor.status();
    end();
    monitor.close();
    return status;
  };
  const fair = statusOf(ids);
  expect(fair.flags).not.toHaveProperty("mismatches");
  const lucky = ids.filter((id) => variantOf(id) === "A");
  const skewed = statusOf(lucky);
  const half = lucky.length / 2;
  expect(skewed.flags.mismatches).toMatchObject([
    {
      flag: "button",
      served_by: "application",
      reason: expect.stringContaining(`rule half says: A ${lucky.length} of ${half}, B 0 of ${half} (p = `),
      rules: [{ rule: "half", observed: { A: lucky.length, B: 0 }, expected: { A: half, B: half } }],
    },
  ]);
  expect(skewed.databases.primary?.health_score).toBe(fair.databases.primary?.health_score);
  expect(skewed.databases.primary?.state).toBe(fair.databases.primary?.state);
});
