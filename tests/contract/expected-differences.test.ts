import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { expectedDifferences } from "./expected-differences.ts";

const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith(".test.ts"));
const sources = files.map((name) => ({ name, text: readFileSync(join(import.meta.dirname, name), "utf8") }));

test("every expected difference is tested exactly once", () => {
  const tested = sources.flatMap(({ text }) =>
    [...text.matchAll(/\bdiffers\(\s*\w+,\s*"([^"]+)"/g)].map((match) => match[1]),
  );
  expect(tested.sort()).toStrictEqual(Object.keys(expectedDifferences).sort());
});

test("no test is left out", () => {
  const leftOut = sources.filter(({ text }) =>
    /\b(?:test|describe|it)\s*\.\s*(?:skip|skipIf|runIf|todo|only|fails)\b/.test(text),
  );
  expect(leftOut.map(({ name }) => name)).toStrictEqual([]);
});
