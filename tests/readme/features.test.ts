// What counts as the proof of a feature.

import { expect, test } from "vitest";
import { idsOf, problemsOf, readPage, rustTitles, typescriptTitles } from "../../scripts/features.mjs";

test("a title begins with IDs, and ranges are spelt out", () => {
  expect(idsOf("CB-06, RT-01 to RT-03 and SM-02: it opens")).toEqual(["CB-06", "RT-01", "RT-02", "RT-03", "SM-02"]);
  for (const title of ["it opens, see CB-06: there", "CB-06 opens", "CB-6: opens", "CB-06"]) {
    expect(idsOf(title), title).toEqual([]);
  }
});

test("in TypeScript the first argument of a test counts, and nothing else does", () => {
  const titles = (text: string) => typescriptTitles(text).map(({ title }) => title);
  expect(titles('test("AA-01: a", () => {});')).toEqual(["AA-01: a"]);
  expect(titles("it(`AA-02: b`, async () => {});")).toEqual(["AA-02: b"]);
  expect(titles('test.each([\n  ["a)", f(1)],\n] as const)("AA-03: %s", () => {});')).toEqual(["AA-03: %s"]);
  for (const text of [
    '// test("AA-04: a", () => {});',
    'describe("AA-05: a", () => {});',
    'test.skip("AA-06: a", () => {});',
    'test.todo("AA-07: a");',
    'expect(await latest("AA-08: a")).toBe(1);',
    'const name = "AA-09: a";',
    '/* AA-10: a */ test("a", () => {});',
  ]) {
    expect(titles(text), text).toEqual([]);
  }
});

test("in Rust the comment right above a test counts, unless the test is ignored", () => {
  const titles = (text: string) => rustTitles(text).map(({ title }) => title);
  expect(titles("/// AA-01: a\n/// more\n#[test]\nfn a() {}")).toEqual(["AA-01: a"]);
  expect(titles("    /// AA-02: b\n    #[test]\n    #[should_panic]\n    fn b() {}")).toEqual(["AA-02: b"]);
  for (const text of [
    "// AA-03: a\n#[test]\nfn a() {}",
    "/// AA-04: a\nfn a() {}",
    "/// AA-05: a\n\n#[test]\nfn a() {}",
    "/// AA-06: a\n#[test]\n#[ignore]\nfn a() {}",
  ]) {
    expect(titles(text).flatMap(idsOf), text).toEqual([]);
  }
});

test("what is missing, unknown, stale or listed twice is a problem", () => {
  const page = readPage(
    [
      ...["| AA-01 | one |", "| AA-02 | two |", "| AA-03 | three |", "| AA-03 | three |", "| AA-05 | five |"],
      ...["## Without a test", "| AA-03 | not built |", "| AA-05 | not built |", "| AA-06 | not listed |"],
    ].join("\n"),
  );
  const proof = (id: string) => ({ ids: [id], file: "a.test.ts", line: 3, title: `${id}: a` });
  expect(problemsOf(page, [proof("AA-01"), proof("AA-04"), proof("AA-05")])).toEqual([
    "AA-03 is listed twice",
    "AA-06 is without a test, and not listed",
    "AA-02 has no test: two",
    "AA-05 has a test, and is listed as without one",
    "a.test.ts:3 proves AA-04, which docs/features.md does not list",
  ]);
});
