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

it("growth is the slope of the last two thirds", () => {
  const sample = (minute: number, rssKb: number) => ({ atMs: minute * 60_000, rssKb, isolates: {} });
  const samples = [sample(0, 0), sample(1, 50_000), sample(2, 100), sample(3, 110), sample(4, 120), sample(5, 130)];
  expect(growth(samples)).toBeCloseTo(10);
  expect(growth([])).toBe(0);
});
