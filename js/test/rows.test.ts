import { describe, expect, test } from "vitest";
import type { Value } from "../src/api.ts";
import { ResultSetImpl, rowBuilder } from "../src/rows.ts";

const build = (names: (string | undefined)[], ...values: Value[]) => rowBuilder(names)(values);

describe("a row", () => {
  const row = build(["id", "name"], 7, "ada");

  test("answers by index, by name, and has a length", () => {
    expect([row[0], row[1], row.id, row.name, row.length]).toEqual([7, "ada", 7, "ada", 2]);
    expect([0 in row, 1 in row, 2 in row, "id" in row]).toEqual([true, true, false, true]);
    expect(Array.from(row as ArrayLike<Value>)).toStrictEqual([7, "ada"]);
    expect(Array.prototype.map.call(row, String)).toStrictEqual(["7", "ada"]);
  });

  test("shows only its names when it is listed, spread, printed or compared", () => {
    const entries = [
      ["id", 7],
      ["name", "ada"],
    ];
    expect(Object.entries(row)).toStrictEqual(entries);
    const seen: string[] = [];
    for (const name in row) seen.push(name);
    expect(seen).toEqual(["id", "name"]);
    expect({ ...row }).toStrictEqual({ id: 7, name: "ada" });
    expect(JSON.stringify(row)).toBe('{"id":7,"name":"ada"}');
    expect(structuredClone(row)).toStrictEqual({ id: 7, name: "ada" });
    expect(row).toStrictEqual({ id: 7, name: "ada" });
    expect(row).not.toStrictEqual({ id: 8, name: "ada" });
  });

  test("passes for a plain object", () => {
    expect(row.constructor).toBe(Object);
    expect(row).toBeInstanceOf(Object);
    expect(Object.prototype.toString.call(row)).toBe("[object Object]");
    // How devalue and turbo-stream tell a plain object of another realm.
    const names = (of: object) => Object.getOwnPropertyNames(of).sort().join();
    expect(names(Object.getPrototypeOf(row))).toBe(names(Object.prototype));
  });

  test("lets names be changed, and keeps values by index as they were", () => {
    const own = build(["a"], 1) as Record<string | number, unknown>;
    own.a = 2;
    expect([own.a, own[0]]).toEqual([2, 1]);
    expect(() => {
      own[0] = 3;
    }).toThrow(TypeError);
    delete own.a;
    expect([Object.keys(own), own[0]]).toEqual([[], 1]);
  });
});

/** What upstream does, for every row. */
function upstream(names: (string | undefined)[], values: Value[]): object {
  const row = {};
  Object.defineProperty(row, "length", { value: values.length });
  for (let i = 0; i < values.length; i++) {
    Object.defineProperty(row, i, { value: values[i] });
    const name = names[i];
    if (name !== undefined && !Object.hasOwn(row, name)) {
      Object.defineProperty(row, name, { value: values[i], enumerable: true, configurable: true, writable: true });
    }
  }
  return row;
}

describe("names that make a difference", () => {
  test.each([
    [["a", "a", "b"]],
    [["1", "0", "1"]],
    [["0", "1", "2"]],
    [["7", "x", "01"]],
    [["length", "a", "b"]],
    [["__proto__", "a", "b"]],
    [["constructor", "toString", "hasOwnProperty"]],
    [["", "a", ""]],
    [[undefined, "a", undefined]],
    [["-1", "1.5", "1e3"]],
  ])("%j gives upstream's row", (names) => {
    const values = [10, "two", null];
    const row = build(names, ...values) as unknown as Record<string | number, unknown>;
    const other = upstream(names, values) as Record<string | number, unknown>;
    expect(Object.entries(row)).toStrictEqual(Object.entries(other));
    for (const key of ["length", 0, 1, 2, ...names]) expect(row[key ?? 3]).toBe(other[key ?? 3]);
    const proto = (of: object) => Object.getOwnPropertyDescriptor(of, "__proto__");
    expect(proto(row)).toEqual(proto(other));
  });

  test("a column cannot reach Object.prototype", () => {
    build(["__proto__"], "x");
    build(["a"], 1);
    expect(({} as Record<string, unknown>).a).toBeUndefined();
  });
});

test("wide rows work as well", () => {
  const names = Array.from({ length: 2_000 }, (_, i) => `c${i}`);
  const row = build(names, ...names.map((_, i) => i));
  expect([row.length, row[1_999], row.c1999]).toEqual([2_000, 1_999, 1_999]);
});

test("a result set becomes plain JSON", () => {
  const blob = new TextEncoder().encode("bar").buffer;
  const set = new ResultSetImpl(["a", "b"], ["INTEGER", ""], [build(["a", "b"], 1n, blob)], 0, 12345n);
  expect(set.toJSON()).toStrictEqual({
    columns: ["a", "b"],
    columnTypes: ["INTEGER", ""],
    rows: [["1", "YmFy"]],
    rowsAffected: 0,
    lastInsertRowid: "12345",
  });
  expect(new ResultSetImpl([], [], [], 1, undefined).toJSON()).toMatchObject({ lastInsertRowid: null });
});
