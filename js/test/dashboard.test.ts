// The dashboard that the core holds is the one of dashboard/.
import { readFileSync } from "node:fs";
import { brotliCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { makeDashboard } from "../../scripts/dashboard.mjs";

const held = (name: string) => readFileSync(new URL(`../../src/http/dashboard/${name}`, import.meta.url), "utf8");

test("the page and its policy are current; if not, run `npm run dashboard`", async () => {
  const { page, policy } = await makeDashboard();
  expect(held("page.html")).toBe(page);
  expect(held("policy.txt")).toBe(policy);
});

test("the page is one request of at most 15 kB, compressed", () => {
  expect(brotliCompressSync(held("page.html")).length).toBeLessThanOrEqual(15_000);
});
