import { describe, expect, test } from "vitest";
import type { IntMode, Value } from "../src/api.ts";
import { failureOf } from "../src/errors.ts";
import { bytesOfBase64 } from "../src/hrana/base64.ts";
import { batchOutcome, decodePipeline, executeResult } from "../src/hrana/decode.ts";
import { batchLayout, encodeStatement, encodeValue } from "../src/hrana/encode.ts";
import { scanRows } from "../src/hrana/scan.ts";
import { cells, failed, ok, rejection, rowsOf } from "./fake-server.ts";

const bodyOf = (...results: unknown[]) => JSON.stringify({ baton: null, base_url: null, results });
const execute = (text: string, intMode: IntMode = "number") =>
  executeResult(decodePipeline(text, 1, intMode).results[0] as never, intMode);
const one = (cell: unknown, intMode: IntMode = "number") =>
  execute(bodyOf(ok("execute", rowsOf(["v"], [cell]))), intMode).rows[0]?.[0];
/** What `read` throws. */
const thrown = (read: () => unknown) => rejection((async () => read())());

describe("values", () => {
  test.each([
    [{ type: "null" }, null],
    [{ type: "text", value: 'a"\\\n\u2028é😀' }, 'a"\\\n\u2028é😀'],
    [{ type: "float", value: 0.5 }, 0.5],
    [{ type: "float", value: null }, Number.NaN],
    [{ type: "integer", value: "-42" }, -42],
    [{ type: "integer", value: "9007199254740991" }, 9007199254740991],
    [{ type: "blob", base64: "YmFy" }, new TextEncoder().encode("bar").buffer],
    [{ type: "blob", base64: "YmE" }, new TextEncoder().encode("ba").buffer],
    [{ type: "blob", base64: "YmE=" }, new TextEncoder().encode("ba").buffer],
    [{ type: "blob", base64: "" }, new ArrayBuffer(0)],
  ])("%j is %s", (cell, value) => {
    expect(one(cell)).toStrictEqual(value);
  });

  test("integers follow the mode", () => {
    const cell = { type: "integer", value: "9223372036854775807" };
    expect(one(cell, "bigint")).toBe(9223372036854775807n);
    expect(one(cell, "string")).toBe("9223372036854775807");
    expect(() => one(cell)).toThrow(RangeError);
    expect(() => one({ type: "integer", value: "9007199254740992" })).toThrow(RangeError);
    expect(() => one({ type: "integer", value: "-9007199254740993" })).toThrow(RangeError);
  });

  test("an integer that does not fit is no failure of the database", async () => {
    const error = await thrown(() => one({ type: "integer", value: "9007199254740993" }));
    expect(failureOf(error)).toEqual({ status: 200, code: "INTEGER_TOO_LARGE", sent: true });
  });

  test("a blob is an ArrayBuffer of exactly its bytes", () => {
    expect(bytesOfBase64("YmFy").byteLength).toBe(3);
  });
});

describe("an answer that is not the protocol", () => {
  test.each([
    ["", "no text"],
    ["<html>", "HTML"],
    ["null", "null"],
    ["{}", "no results"],
    ['{"results":{}}', "no list of results"],
    [bodyOf(), "too few results"],
    [bodyOf(ok("execute", rowsOf([])), ok("close")), "too many results"],
    [bodyOf(null), "null for a result"],
    [bodyOf({ type: "other" }), "an unknown result"],
    [bodyOf(ok("batch", {})), "another request's result"],
    [bodyOf({ type: "error", error: {} }), "an error without a message"],
    [bodyOf(ok("execute", null)), "no result"],
    [bodyOf(ok("execute", { ...rowsOf([]), rows: 0 })), "a number for rows"],
    [bodyOf(ok("execute", { ...rowsOf([]), cols: [null] })), "a null column"],
    [bodyOf(ok("execute", { ...rowsOf([]), cols: [{ name: 5 }] })), "a number for a name"],
    [bodyOf(ok("execute", { ...rowsOf([]), affected_row_count: "1" })), "text for a count"],
    [bodyOf(ok("execute", { ...rowsOf([]), last_insert_rowid: "x" })), "no row id"],
    [bodyOf(ok("execute", rowsOf(["a"], cells(1, 2)))), "a row too wide"],
    [bodyOf(ok("execute", rowsOf(["a"], [null]))), "a null cell"],
    [bodyOf(ok("execute", rowsOf(["a"], [{ type: "date" }]))), "an unknown cell"],
    [bodyOf(ok("execute", rowsOf(["a"], [{ type: "text", value: 5 }]))), "text that is none"],
    [bodyOf(ok("execute", rowsOf(["a"], [{ type: "integer", value: "1.5" }]))), "an integer that is none"],
    [bodyOf(ok("execute", rowsOf(["a"], [{ type: "integer", value: "" }]))), "an empty integer"],
    [bodyOf(ok("execute", rowsOf(["a"], [{ type: "float" }]))), "a float without a value"],
  ])("%s is a BAD_RESPONSE (%s)", async (text) => {
    const error = await thrown(() => execute(text));
    expect(error).toMatchObject({ name: "LibsqlError", code: "BAD_RESPONSE" });
    expect(failureOf(error)).toEqual({ status: 200, code: "BAD_RESPONSE", sent: true });
  });
});

describe("a batch", () => {
  const shape = { begin: "write", commit: true, migration: false } as const;
  const layout = batchLayout(2, shape);
  /** As the server sends it: reading turns cells into values in place. */
  const fresh = () => rowsOf(["n"], cells(1));
  const take = (results: unknown[], errors: unknown[]) =>
    batchOutcome(ok("batch", { step_results: results, step_errors: errors }) as never, layout, "number").take();
  const error = (code: string) => ({ code, message: "m" });

  test("gives the results of the caller's statements only", () => {
    expect(take([fresh(), fresh(), fresh(), fresh(), null], [null, null, null, null, null])).toHaveLength(2);
  });

  test("counts the first error, whatever failed after it", async () => {
    const begin = await thrown(() => take([], [error("BUSY"), null, error("LATER")]));
    expect(begin).toMatchObject({ name: "LibsqlError", code: "BUSY" });
    const second = await thrown(() => take([fresh(), fresh()], [null, null, error("SECOND"), error("COMMIT")]));
    expect(second).toMatchObject({ name: "LibsqlBatchError", code: "SECOND", statementIndex: 1 });
    expect(failureOf(second)).toEqual({ status: 200, code: "SECOND", sent: true });
    const commit = await thrown(() => take([fresh(), fresh(), fresh()], [null, null, null, error("COMMIT")]));
    expect(commit).toMatchObject({ name: "LibsqlError", code: "COMMIT" });
  });

  test("says which statement was not reached", async () => {
    const skipped = await thrown(() => take([fresh(), fresh(), null, null, null], []));
    expect(skipped).toMatchObject({ code: "TRANSACTION_CLOSED", statementIndex: 1 });
  });

  test("carries the server's error as upstream does", async () => {
    const result = { type: "error", error: { message: "m", code: "C", extended_code: "C_X" } };
    const failure = await thrown(() => executeResult(result as never, "number"));
    expect(failure).toMatchObject({ code: "C", extendedCode: "C_X", message: "C: m" });
    expect(failure.cause).toMatchObject({ name: "ResponseError", code: "C", message: "m" });
    expect(failed("C", "m").error).toMatchObject({ code: "C" });
  });
});

describe("the scanner", () => {
  const long = "x".repeat(40);
  const awkward = [
    "",
    "a",
    long,
    '"',
    "\\",
    '\\"',
    'say "hi"',
    `${long}"}],`,
    '{"type":"null"}',
    '"rows":[[',
    "žluťoučký kůň úpěl ďábelské ódy",
    "\u0000\n\t😀",
    "ends with \\",
  ];
  const rows = awkward.map((text, i) => [
    ...cells(text, -i, i + 0.25, null),
    { type: "blob", base64: "YmFy" },
    { type: "text", value: `${i}` },
  ]);
  const names = ["a", "b", "c", "d", "e", "f"];
  const text = bodyOf(ok("execute", rowsOf(names, ...rows)));
  /** The same answer, read by JSON.parse alone: the scanner does not know the space. */
  const spaced = (text: string) => text.replaceAll('"rows":[', '"rows": [');
  const plain = (rows: readonly object[] | undefined) => rows?.map((row) => Array.from(row as ArrayLike<Value>));

  test.each(["number", "bigint", "string"] as const)("reads what JSON.parse reads, integers as %s", (intMode) => {
    const scan = scanRows(text, intMode);
    expect(scanRows(spaced(text), intMode)?.tables).toEqual([]);
    expect(scan?.tables[0]?.rows).toStrictEqual(plain(execute(spaced(text), intMode).rows));
  });

  test("is used for large answers, of batches as well, and changes nothing", () => {
    const many = Array.from({ length: 60 }, () => rows).flat();
    const large = bodyOf(ok("execute", rowsOf(names, ...many)));
    expect(plain(execute(large).rows)).toStrictEqual(plain(execute(spaced(large)).rows));
    const results = [rowsOf(["n"]), rowsOf(names, ...many), null, rowsOf(["n"], cells(5))];
    const batch = bodyOf(ok("batch", { step_results: results, step_errors: [] }));
    const read = (text: string) => {
      const layout = { begin: 2, first: 3, count: 1, commit: -1, steps: 4 };
      return batchOutcome(decodePipeline(text, 1, "number").results[0] as never, layout, "number").take()[0];
    };
    expect(plain(read(batch)?.rows)).toEqual([[5]]);
    expect(read(batch)).toStrictEqual(read(spaced(batch)));
  });

  test.each([
    ["a space", (t: string) => t.replace('{"type":"text",', '{"type": "text",')],
    ["another order of keys", (t: string) => t.replace('{"type":"null"}', '{"x":1,"type":"null"}')],
    ["an infinity", (t: string) => t.replace('"value":0.25', '"value":null')],
    ["a huge integer", (t: string) => t.replace('"value":"-1"', '"value":"9007199254740993"')],
    ["a cut answer", (t: string) => t.slice(0, -200)],
    ["a row of another width", (t: string) => t.replace('{"type":"null"},', "")],
    ["a bad escape", (t: string) => t.replace('\\"', '\\q"')],
    ["an integer that is none", (t: string) => t.replace('"value":"-1"', '"value":"--1"')],
  ])("leaves %s to JSON.parse", (_, change) => {
    const changed = change(text);
    expect(changed).not.toBe(text);
    expect(scanRows(changed, "number")).toBeUndefined();
  });

  test("never fails, wherever the answer is cut or damaged", () => {
    for (let i = 0; i < text.length; i += 3) {
      expect(() => decodePipeline(text.slice(0, i), 1, "number")).toThrow(/BAD_RESPONSE/);
      const damaged = `${text.slice(0, i)}?${text.slice(i + 1)}`;
      const scan = scanRows(damaged, "number");
      let expected: unknown;
      try {
        expected = plain(execute(spaced(damaged)).rows);
      } catch {}
      if (scan && expected) expect(scan.tables[0]?.rows).toStrictEqual(expected);
    }
  });
});

describe("bound values", () => {
  test.each([
    ["text", '{"type":"text","value":"text"}'],
    [1, '{"type":"float","value":1}'],
    [-0.5, '{"type":"float","value":-0.5}'],
    [1e300, '{"type":"float","value":1e+300}'],
    [5n, '{"type":"integer","value":"5"}'],
    [-9223372036854775808n, '{"type":"integer","value":"-9223372036854775808"}'],
    [true, '{"type":"integer","value":"1"}'],
    [false, '{"type":"integer","value":"0"}'],
    [null, '{"type":"null"}'],
    [new Date(1672662896000), '{"type":"float","value":1672662896000}'],
    [new Uint8Array([98, 97, 114]), '{"type":"blob","base64":"YmFy"}'],
    [new Uint8Array([1, 98, 97, 114, 2]).subarray(1, 4), '{"type":"blob","base64":"YmFy"}'],
    [Buffer.from("bar"), '{"type":"blob","base64":"YmFy"}'],
    [new TextEncoder().encode("bar").buffer, '{"type":"blob","base64":"YmFy"}'],
    [new Float32Array([1, 2]), '{"type":"text","value":"1,2"}'],
    [{ toString: () => "own" }, '{"type":"text","value":"own"}'],
  ])("%s is sent as %s", (value, json) => {
    expect(encodeValue(value as never)).toBe(json);
  });

  test.each([
    [undefined, TypeError],
    [() => 1, TypeError],
    [Symbol("s"), TypeError],
    [Number.NaN, RangeError],
    [Number.POSITIVE_INFINITY, RangeError],
    [new Date(Number.NaN), RangeError],
    [9223372036854775808n, RangeError],
    [-9223372036854775809n, RangeError],
  ])("%s is refused", (value, type) => {
    expect(() => encodeValue(value as never)).toThrow(type);
  });

  test("positional and named arguments", () => {
    expect(encodeStatement({ sql: "s", args: ["a", null] }).args).toBe(
      ',"args":[{"type":"text","value":"a"},{"type":"null"}]',
    );
    expect(encodeStatement({ sql: "s", args: { a: 1, ":b": true } }).args).toBe(
      ',"named_args":[{"name":"a","value":{"type":"float","value":1}},{"name":":b","value":{"type":"integer","value":"1"}}]',
    );
    expect(encodeStatement({ sql: "s", args: [] }).args).toBe("");
    expect(encodeStatement(["s", undefined]).args).toBe("");
    // biome-ignore lint/suspicious/noSparseArray: a hole must not be skipped.
    expect(() => encodeStatement({ sql: "s", args: [, 1] as never })).toThrow(TypeError);
  });
});
