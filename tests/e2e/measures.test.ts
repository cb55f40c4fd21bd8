// The yardsticks of `npm run chaos` and `npm run soak`, on numbers that are known.
import { describe, expect, it } from "vitest";
import type { Call, Ending } from "../support/chaos/load.mjs";
import { budgetOf, recoveredMs } from "../support/chaos/outage.mjs";
import { growth } from "../support/chaos/samples.mjs";

const MENDED_AT = 1_000_000;

/** A call of isolate `a` every 50 ms for so long; `endingAt` says how the one that begins then ends. */
function calls(forMs: number, endingAt: (ms: number) => Ending): Call[] {
  return Array.from({ length: forMs / 50 }, (_, index) => {
    const beganAt = MENDED_AT + index * 50;
    const ending = endingAt(index * 50);
    return { isolate: "a", kind: "read", id: undefined, isUndone: false, beganAt, endedAt: beganAt, ending, code: "" };
  });
}

describe("the recovery of an isolate", () => {
  const recoveryOf = (forMs: number, endingAt: (ms: number) => Ending, isolate = "a") =>
    recoveredMs(calls(forMs, endingAt), isolate, MENDED_AT, MENDED_AT + forMs);

  it("is when its calls succeed from there on", () => {
    expect(recoveryOf(6_000, (ms) => (ms < 1_700 ? "refused" : "acknowledged"))).toBe(1_700);
    expect(recoveryOf(6_000, () => "acknowledged")).toBe(0);
  });

  it("is not a success in between", () => {
    expect(recoveryOf(6_000, (ms) => (ms < 3_000 && ms % 500 > 0 ? "refused" : "acknowledged"))).toBe(3_000);
  });

  it("never came if calls fail until the end, or if there are none", () => {
    expect(recoveryOf(6_000, () => "unknown")).toBeUndefined();
    expect(recoveryOf(6_000, () => "acknowledged", "b")).toBeUndefined();
  });
});

it("the budget grows with isolates and with the times that a circuit stays open, not with the load", () => {
  expect(budgetOf(1, 1)).toBe(9);
  expect(budgetOf(6, 60_000)).toBe(6 * (5 + 3 + 30));
});

describe("growth", () => {
  const samples = (...rssKb: number[]) =>
    rssKb.map((kb, minute) => ({ atMs: minute * 60_000, rssKb: kb, heaps: {}, isolates: {} }));

  it("is the slope of the last two thirds", () => {
    const { kbPerMinute, error } = growth(samples(0, 50_000, 100, 110, 120, 130));
    expect(kbPerMinute).toBeCloseTo(10);
    expect(error).toBeCloseTo(0);
    expect(growth([])).toEqual({ kbPerMinute: 0, error: 0 });
  });

  it("of a plateau that is not flat is within its error", () => {
    const { kbPerMinute, error } = growth(samples(0, 0, 0, 100, 112, 98, 111, 99, 110));
    expect(kbPerMinute).toBeCloseTo(0.686, 3);
    expect(error).toBeCloseTo(1.739, 3);
  });
});
