// What plans cost: the same as the core says of the same plans.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type PlanLine, planCost } from "../src/tenants/plan-cost.ts";

interface Golden {
  sizes: Record<string, number>;
  plans: { sql: string; lines: [number, number, string][]; cost: number[] }[];
}

const golden = JSON.parse(
  readFileSync(new URL("../../tests/conformance/plans.json", import.meta.url), "utf8"),
) as Golden;
const lines = (rows: readonly (readonly [number, number, string])[]): PlanLine[] =>
  rows.map(([id, parent, detail]) => ({ id, parent, detail }));

test.each(golden.plans)("TIER-11: $sql", (plan) => {
  expect(planCost(lines(plan.lines), (name) => golden.sizes[name])).toBe(plan.cost[0]);
});

test("a plan that cannot be read is never cheap", () => {
  const many = Array.from({ length: 1_001 }, (_, id) => [id + 1, 0, "SCAN t"] as const);
  expect(planCost(lines(many), () => 1)).toBe(Number.POSITIVE_INFINITY);
  const deep = Array.from({ length: 500 }, (_, id) => [id + 1, id, "SCALAR SUBQUERY 1"] as const);
  expect(planCost(lines(deep), () => 1)).toBe(Number.POSITIVE_INFINITY);
  const looped = [
    [1, 1, "SCAN t"],
    [2, 3, "SCAN t"],
    [3, 2, "SCAN t"],
  ] as const;
  expect(planCost(lines(looped), () => 1)).toBe(0);
  expect(planCost(lines([[1, 0, "SCAN t"]]), () => undefined)).toBe(1_048_576);
});
