// The reading of the README: a block that is overlooked would pass unseen.

import { expect, test } from "vitest";
import { scriptsNamed, snippetsOf } from "./snippets.ts";

test("every block is found with its language and its line", () => {
  const markdown = ["text", "```js", "a", "", "b", "```", "", "  ```sh", "c", "  ```", "```", "plain", "```"].join(
    "\n",
  );
  expect(snippetsOf(markdown)).toEqual([
    { language: "js", text: "a\n\nb\n", line: 2 },
    { language: "sh", text: "c\n", line: 8 },
    { language: "", text: "plain\n", line: 11 },
  ]);
});

test("a block that is never closed is an error", () => {
  expect(() => snippetsOf("```js\na\n")).toThrow("line 1 is not closed");
});

test("scripts are named in either way", () => {
  expect(scriptsNamed("npm run demo -- --script; npm test # npm ci, npx npm-run")).toEqual(["demo", "test"]);
});
