// What flags of an application have served, as its monitor adds it up.
import { expect, test } from "vitest";
import { type Exposure, ExposureWatch } from "../src/monitor/exposures.ts";

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
