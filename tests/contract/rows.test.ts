import assert from "node:assert";
import { expect, test } from "vitest";
import { contract, differs, onlyRow } from "./contract.ts";

contract("rows", (peer) => {
  const threeColumns = "SELECT 1 AS one, 'two' AS two, 0.5 AS three";

  test("a row is read by index and by name", async () => {
    const row = onlyRow(await peer.open().execute(threeColumns));
    expect([row[0], row[1], row[2]]).toStrictEqual([1, "two", 0.5]);
    expect([row.one, row.two, row.three]).toStrictEqual([1, "two", 0.5]);
    expect(row.one).toBe(1);
  });

  test("a row knows its number of columns", async () => {
    expect(onlyRow(await peer.open().execute(threeColumns)).length).toBe(3);
  });

  test("an index or a name beyond the columns is undefined", async () => {
    const row = onlyRow(await peer.open().execute(threeColumns));
    expect(row[3]).toBeUndefined();
    expect(row[-1]).toBeUndefined();
    expect(row.four).toBeUndefined();
  });

  test("Array.from gives the values in the order of the columns", async () => {
    const row = onlyRow(await peer.open().execute(threeColumns));
    expect(Array.from(row as ArrayLike<unknown>)).toStrictEqual([1, "two", 0.5]);
  });

  test("array methods can be borrowed", async () => {
    const row = onlyRow(await peer.open().execute(threeColumns));
    expect(Array.prototype.map.call(row, (value) => typeof value)).toStrictEqual(["number", "string", "number"]);
    expect(Array.prototype.includes.call(row, "two")).toBe(true);
  });

  test("an index loop sees each value once", async () => {
    const row = onlyRow(await peer.open().execute(threeColumns));
    const seen: unknown[] = [];
    for (let i = 0; i < row.length; i++) seen.push(row[i]);
    expect(seen).toStrictEqual([1, "two", 0.5]);
  });

  test("a row is not an array", async () => {
    expect(Array.isArray(onlyRow(await peer.open().execute(threeColumns)))).toBe(false);
  });

  test("only the names are enumerable", async () => {
    const row = onlyRow(await peer.open().execute(threeColumns));
    expect(Object.keys(row)).toStrictEqual(["one", "two", "three"]);
    expect(Object.values(row)).toStrictEqual([1, "two", 0.5]);
    expect(Object.entries(row)).toStrictEqual([
      ["one", 1],
      ["two", "two"],
      ["three", 0.5],
    ]);
  });

  test("for..in sees the names only", async () => {
    const row = onlyRow(await peer.open().execute(threeColumns));
    const names: string[] = [];
    for (const name in row) names.push(name);
    expect(names).toStrictEqual(["one", "two", "three"]);
  });

  test("`in` finds names and indexes", async () => {
    const row = onlyRow(await peer.open().execute(threeColumns));
    expect("one" in row).toBe(true);
    expect(0 in row).toBe(true);
    expect("four" in row).toBe(false);
    expect(3 in row).toBe(false);
  });

  test("a name is an own property", async () => {
    const row = onlyRow(await peer.open().execute(threeColumns));
    expect(Object.hasOwn(row, "one")).toBe(true);
    expect(Object.hasOwn(row, "four")).toBe(false);
  });

  test("spread copies the names", async () => {
    const row = onlyRow(await peer.open().execute(threeColumns));
    expect({ ...row }).toStrictEqual({ one: 1, two: "two", three: 0.5 });
    expect(Object.assign({ zero: 0 }, row)).toStrictEqual({ zero: 0, one: 1, two: "two", three: 0.5 });
  });

  test("destructuring takes names", async () => {
    const { one, ...rest } = onlyRow(await peer.open().execute(threeColumns));
    expect(one).toBe(1);
    expect(rest).toStrictEqual({ two: "two", three: 0.5 });
  });

  test("a row equals a plain object under toEqual and toStrictEqual", async () => {
    const row = onlyRow(await peer.open().execute(threeColumns));
    expect(row).toEqual({ one: 1, two: "two", three: 0.5 });
    expect(row).toStrictEqual({ one: 1, two: "two", three: 0.5 });
    expect(row).not.toStrictEqual({ one: 1, two: "two" });
    expect(row).not.toStrictEqual({ one: 1, two: "two", three: 0.75 });
  });

  test("rows equal a list of plain objects", async () => {
    const { rows } = await peer.open().execute("SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, 'y'");
    expect(rows).toStrictEqual([
      { a: 1, b: "x" },
      { a: 2, b: "y" },
    ]);
  });

  differs(peer, "a row under strict deep equality of node:assert", {
    upstream: async () => {
      const row = onlyRow(await peer.open().execute(threeColumns));
      assert.deepStrictEqual(row, { one: 1, two: "two", three: 0.5 });
    },
    ours: async () => {
      const row = onlyRow(await peer.open().execute(threeColumns));
      assert.deepEqual(row, { one: 1, two: "two", three: 0.5 });
      assert.notDeepEqual(row, { one: 1, two: "two", three: 0.75 });
      assert.deepStrictEqual({ ...row }, { one: 1, two: "two", three: 0.5 });
    },
  });

  test("two rows of the same values are equal, of different values are not", async () => {
    const { rows } = await peer.open().execute("SELECT 1 AS a UNION ALL SELECT 1 UNION ALL SELECT 2");
    expect(rows[0]).toStrictEqual(rows[1]);
    expect(rows[0]).not.toStrictEqual(rows[2]);
  });

  test("toMatchObject takes a part of a row", async () => {
    expect(onlyRow(await peer.open().execute(threeColumns))).toMatchObject({ two: "two" });
  });

  test("JSON.stringify of a row gives its names", async () => {
    const row = onlyRow(await peer.open().execute(threeColumns));
    expect(JSON.stringify(row)).toBe('{"one":1,"two":"two","three":0.5}');
  });

  test("structuredClone of a row gives a plain object", async () => {
    const row = onlyRow(await peer.open().execute(threeColumns));
    expect(structuredClone(row)).toStrictEqual({ one: 1, two: "two", three: 0.5 });
  });

  test("a named value can be replaced and removed", async () => {
    const row = onlyRow(await peer.open().execute(threeColumns));
    row.one = 11;
    expect(row.one).toBe(11);
    delete row.two;
    expect(Object.keys(row)).toStrictEqual(["one", "three"]);
  });

  test("a value cannot be replaced by index", async () => {
    const row = onlyRow(await peer.open().execute(threeColumns));
    expect(() => {
      row[0] = 11;
    }).toThrow(TypeError);
    expect(row[0]).toBe(1);
  });

  test("of two columns with one name, the name gives the first and the index gives both", async () => {
    const result = await peer.open().execute("SELECT 1 AS a, 2 AS a, 3 AS b");
    const row = onlyRow(result);
    expect(result.columns).toStrictEqual(["a", "a", "b"]);
    expect(row.length).toBe(3);
    expect(Array.from(row as ArrayLike<unknown>)).toStrictEqual([1, 2, 3]);
    expect(row.a).toBe(1);
    expect(Object.entries(row)).toStrictEqual([
      ["a", 1],
      ["b", 3],
    ]);
  });

  test("a join keeps both columns of one name", async () => {
    const result = await peer.open().execute("SELECT * FROM (SELECT 1 AS id) x JOIN (SELECT 2 AS id) y");
    expect(result.columns).toStrictEqual(["id", "id"]);
    expect(Array.from(onlyRow(result) as ArrayLike<unknown>)).toStrictEqual([1, 2]);
    expect(onlyRow(result).id).toBe(1);
  });

  test("a column named 1 is visible when no index hides it", async () => {
    const row = onlyRow(await peer.open().execute("SELECT 1"));
    expect(row[0]).toBe(1);
    expect(Object.entries(row)).toStrictEqual([["1", 1]]);
    expect(row).toStrictEqual({ 1: 1 });
  });

  test("a column named 0 is hidden by its index", async () => {
    const row = onlyRow(await peer.open().execute("SELECT 0"));
    expect(row.length).toBe(1);
    expect(row[0]).toBe(0);
    expect(Object.keys(row)).toStrictEqual([]);
  });

  test("with numeric names, an index is a position", async () => {
    const row = onlyRow(await peer.open().execute("SELECT 1, 0, 42"));
    expect(Array.from(row as ArrayLike<unknown>)).toStrictEqual([1, 0, 42]);
    expect(row["42"]).toBe(42);
  });

  test("a column named 7 beyond the last position is visible", async () => {
    const row = onlyRow(await peer.open().execute(`SELECT 'x' AS "7", 'y' AS "b"`));
    expect(row[7]).toBe("x");
    expect(row.length).toBe(2);
    expect(Object.keys(row)).toStrictEqual(["7", "b"]);
  });

  test("a column named length leaves the number of columns", async () => {
    const row = onlyRow(await peer.open().execute("SELECT 'long' AS length, 'b' AS b"));
    expect(row.length).toBe(2);
    expect(row[0]).toBe("long");
    expect(Object.keys(row)).toStrictEqual(["b"]);
  });

  test("columns named after members of Object are ordinary columns", async () => {
    const row = onlyRow(
      await peer.open().execute(`SELECT 1 AS "constructor", 2 AS "toString", 3 AS "hasOwnProperty", 4 AS "valueOf"`),
    );
    expect(Object.entries(row)).toStrictEqual([
      ["constructor", 1],
      ["toString", 2],
      ["hasOwnProperty", 3],
      ["valueOf", 4],
    ]);
  });

  test("a column named __proto__ is a column and changes no prototype", async () => {
    const row = onlyRow(await peer.open().execute(`SELECT 'x' AS "__proto__", 2 AS b`));
    expect(row[0]).toBe("x");
    expect(Object.entries(row)).toStrictEqual([
      ["__proto__", "x"],
      ["b", 2],
    ]);
    expect(({} as Record<string, unknown>).b).toBeUndefined();
  });

  test("a column with an empty name is found by the empty name", async () => {
    const result = await peer.open().execute(`SELECT 5 AS ""`);
    expect(result.columns).toStrictEqual([""]);
    expect(onlyRow(result)[""]).toBe(5);
  });

  test("a column with a name outside of ASCII is found by it", async () => {
    const row = onlyRow(await peer.open().execute(`SELECT 5 AS "kůň 🐎"`));
    expect(row["kůň 🐎"]).toBe(5);
  });

  test("an expression without a name is named by its text", async () => {
    const result = await peer.open().execute("SELECT 1+1");
    expect(result.columns).toStrictEqual(["1+1"]);
    expect(onlyRow(result)["1+1"]).toBe(2);
  });

  test("rows of different results with the same columns do not mix", async () => {
    const client = peer.open();
    const [first, second] = await client.batch(["SELECT 1 AS a, 2 AS b", "SELECT 3 AS a, 4 AS b"]);
    expect([first?.rows, second?.rows]).toStrictEqual([[{ a: 1, b: 2 }], [{ a: 3, b: 4 }]]);
  });

  test("a row of forty columns is read by index and by name", async () => {
    const names = Array.from({ length: 40 }, (_, i) => `c${i}`);
    const row = onlyRow(await peer.open().execute(`SELECT ${names.map((name, i) => `${i} AS ${name}`).join(", ")}`));
    expect(row.length).toBe(40);
    names.forEach((name, i) => {
      expect(row[i]).toBe(i);
      expect(row[name]).toBe(i);
    });
  });

  test("rows is an array that can be iterated, mapped and emptied", async () => {
    const { rows } = await peer.open().execute("SELECT 1 AS a UNION ALL SELECT 2");
    expect(Array.isArray(rows)).toBe(true);
    const seen: unknown[] = [];
    for (const row of rows) seen.push(row.a);
    expect(seen).toStrictEqual([1, 2]);
    expect(rows.map((row) => row[0])).toStrictEqual([1, 2]);
    rows.length = 0;
    expect(rows).toStrictEqual([]);
  });

  test("null is null by index and by name, and the name is still there", async () => {
    const row = onlyRow(await peer.open().execute("SELECT NULL AS missing"));
    expect(row[0]).toBeNull();
    expect(row.missing).toBeNull();
    expect(Object.keys(row)).toStrictEqual(["missing"]);
  });
});
