// The type of a document's flags, as text and as the command writes it. What the compiler makes of it is tested in tests/types.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createFlags, FlagsRefusedError, flagTypes } from "../src/flags/index.ts";
import { run } from "./command-line.ts";

const document = {
  version: 1,
  revision: 5,
  flags: {
    "new-checkout": { rules: [{ rollout: 5, serve: "on" }] },
    button: { variants: { A: "blue", B: "green", off: "grey" }, default: "off" },
    limit: { variants: { few: -5, many: 0.5 }, default: "few" },
    theme: { variants: { dark: { colour: "#000", parts: ["a", null] }, none: null, empty: {} }, default: "dark" },
  },
};

const EXPECTED = `// Written by flagTypes of seawall/flags from revision 5. Write it again when the flags have changed.

export type AppFlags = {
  readonly "button": { readonly value: "blue" | "green" | "grey"; readonly variant: "A" | "B" | "off" };
  readonly "limit": { readonly value: -5 | 0.5; readonly variant: "few" | "many" };
  readonly "new-checkout": { readonly value: boolean; readonly variant: "off" | "on" };
  readonly "theme": { readonly value: { readonly "colour": string; readonly "parts": readonly (string | null)[] } | Readonly<Record<string, never>> | null; readonly variant: "dark" | "empty" | "none" };
};
`;

describe("flagTypes", () => {
  test("writes each key, what its variants are, and what they are called", () => {
    expect(flagTypes(document)).toBe(EXPECTED);
  });

  test("writes the same of JSON and of a snapshot", () => {
    expect(flagTypes(JSON.stringify(document))).toBe(EXPECTED);
    expect(flagTypes(createFlags({ definitions: document, env: {} }).snapshot())).toBe(EXPECTED);
  });

  test("writes kinds alone where values may come that the document has not", () => {
    const wide = flagTypes(document, { isWide: true, name: "Wide" });
    expect(wide).toContain("export type Wide = {");
    expect(wide).toContain('readonly "button": { readonly value: string; readonly variant: string };');
    expect(wide).toContain('readonly "limit": { readonly value: number; readonly variant: string };');
    expect(wide).not.toContain("blue");
  });

  test("bounds what is long, many or deep", () => {
    const many = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`v${at}`, `value-${at}`]));
    let deep: unknown = 1;
    for (let at = 0; at < 9; at += 1) deep = { deep };
    const flags = {
      long: { variants: { a: "x".repeat(201), b: "y" }, default: "a" },
      many: { variants: many, default: "v0" },
      deep: { variants: { a: deep }, default: "a" },
    };
    const types = flagTypes({ version: 1, flags });
    expect(types).toContain('readonly "long": { readonly value: string | "y"; ');
    expect(types).toContain('"value-39"');
    expect(types).toContain('"deep": unknown');
    expect(types.match(/"deep"/g)).toHaveLength(7);
  });

  test("refuses what cannot be taken, with all that is wrong, and a name that is none", () => {
    expect(() => flagTypes({ version: 1, flags: { a: { rulez: [] } } })).toThrow(FlagsRefusedError);
    expect(() => flagTypes("{")).toThrow(FlagsRefusedError);
    for (const name of ["", "a b", "X = {}; export const evil", "1st", "a\n"]) {
      expect(() => flagTypes(document, { name }), name).toThrow(RangeError);
    }
  });

  test("quotes keys and values so that nothing of them becomes code, or hides it", () => {
    const hostile = [
      '"',
      "*/ evil()",
      "\\",
      "\\u0022",
      "`$".concat("{evil()}`"),
      "\u2028",
      "\u202e//",
      "ß",
      "' + evil()",
    ];
    const keys = hostile.map((text, at) => `k${at}${text}`);
    const variants = (text: string) => ({ on: `${text}\n"; evil(); /*\0`, off: "", ["n".concat(text)]: text });
    const flags = Object.fromEntries(keys.map((key) => [key, { variants: variants(key), default: "off" }]));
    const shape = { variants: { a: JSON.parse(`{"x\\": evil": 1, "\\n": 2}`) }, default: "a" };
    const types = flagTypes({ version: 1, flags: { ...flags, shape } });
    expect(types).toContain('{ readonly "\\n": number; readonly "x\\": evil": number }');
    const lines = types.split("\n").filter((line) => line.startsWith('  readonly "k'));
    expect(lines).toHaveLength(keys.length);
    const text = '"(?:[^"\\\\]|\\\\.)*"';
    const union = `${text}(?: \\| ${text})*`;
    const line = new RegExp(
      `^  readonly (${text}): \\{ readonly value: (${union}); readonly variant: (${union}) \\};$`,
    );
    const found = lines.map((each) => {
      const [, key = "", values = "", names = ""] = line.exec(each) ?? [];
      const all = (of: string) => [...of.matchAll(new RegExp(text, "g"))].map(([one]) => JSON.parse(one)).sort();
      return [JSON.parse(key), all(values), all(names)];
    });
    const expected = keys.map((key) => [key, Object.values(variants(key)).sort(), Object.keys(variants(key)).sort()]);
    expect(found.sort()).toEqual(expected.sort());
    // What cannot be seen in an editor is not in the text.
    expect(lines.join("")).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    expect(lines.join("")).toContain("ß");
  });
});

describe("flags:types", () => {
  let folder: string;
  const at = (name: string) => join(folder, name);

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "seawall-types-"));
    writeFileSync(at("flags.json"), JSON.stringify(document));
    writeFileSync(at("flags.bin"), createFlags({ definitions: document, env: {} }).snapshot());
    writeFileSync(at("wrong.json"), '{"version":1,"flags":{"a":{"rulez":[]}}}');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each([["flags.json"], ["flags.bin"]])(
    "prints the type of %s, as it is, also where programs read",
    async (name) => {
      expect(await run(["flags:types", at(name)])).toMatchObject({ status: 0, stdout: EXPECTED, stderr: "" });
    },
  );

  test("reads stdin, writes a file, and is two words as well", async () => {
    const ended = await run(
      ["flags", "types", "-", "--out", at("flags.d.ts"), "--name", "Mine"],
      {},
      JSON.stringify(document),
    );
    expect(ended).toMatchObject({ status: 0, stdout: "" });
    expect(readFileSync(at("flags.d.ts"), "utf8")).toBe(EXPECTED.replace("type AppFlags", "type Mine"));
  });

  test("is JSON when that is asked for, and wide", async () => {
    const { stdout } = await run(["flags:types", at("flags.json"), "--json", "--wide"]);
    expect(JSON.parse(stdout)).toEqual({ types: flagTypes(document, { isWide: true }) });
  });

  test.each([
    ["definitions with a fault", ["wrong.json"], /rulez.*FLAGS_REFUSED/],
    ["a file that is not there", ["none.json"], /none\.json cannot be read: ENOENT.*FILE_UNUSABLE/],
    ["a place where nothing can be written", ["flags.json", "--out", "none/types.d.ts"], /cannot be written: ENOENT/],
    ["a name that no type can have", ["flags.json", "--name", "a b"], /--name: "a b" is no name of a type/],
  ])("refuses %s", async (_, [file = "", ...more], told) => {
    const ended = await run(["flags:types", at(file), ...more.map((word) => word.replace("none/", at("none/")))]);
    expect(ended).toMatchObject({ status: 2, stdout: "" });
    expect(ended.stderr).toMatch(told);
  });

  test("refuses to guess a file", async () => {
    expect(await run(["flags:types"])).toMatchObject({ status: 2, stdout: "" });
  });
});
