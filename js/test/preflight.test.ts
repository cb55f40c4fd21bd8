import { expect, test } from "vitest";
import { platform } from "../src/platform/platform.ts";
import { preflight } from "../src/preflight.ts";

test("EVD-07: on Workers no command is looked for", async () => {
  const client = { execute: async () => ({}) as never };
  const versionOf = () => Promise.reject(new Error("there are no commands here"));
  const findings = await preflight(client, { versionOf }, { ...platform, name: "workerd" });
  expect(findings.map(({ what, level }) => [what, level])).toEqual([["database", "ok"]]);
});
