// Rows as `@libsql/client` shapes them, without its cost.
//
// Upstream defines three properties a column on every row with `Object.defineProperty`, which takes three times as long as
// parsing the response. Here the values by index and `length` are getters on a prototype that all rows of the same width
// share, and only the names are the row's own. What that changes: `Object.getPrototypeOf(row)` is not `Object.prototype`,
// and `Object.getOwnPropertyNames(row)` lists the names only. Keys, entries, spread, JSON, `in`, and equality under
// `toStrictEqual` are the same.
import type { ResultSet, Row, Value } from "./api.ts";
import { base64OfBytes } from "./hrana/base64.ts";

type RowClass = new (values: Value[], names: readonly string[]) => Row;

const WIDTH_KEPT_MAX = 256;
const classes: (RowClass | undefined)[] = [];

/** A function that turns the values of one row into a {@link Row}. It keeps the array it is given. */
export function rowBuilder(names: readonly (string | undefined)[]): (values: Value[]) => Row {
  const width = names.length;
  if (!areOrdinary(names)) return (values) => exactRow(names, values);
  let Class = classes[width];
  if (Class === undefined) {
    Class = rowClass(width);
    if (width <= WIDTH_KEPT_MAX) classes[width] = Class;
  }
  const Fixed = Class;
  return (values) => new Fixed(values, names);
}

/**
 * Whether plain assignment gives what upstream's definitions give: no duplicates, nothing that plain objects inherit
 * (`__proto__`, `constructor`) or that rows have (`length`), nothing integer-like, no column without a name.
 */
function areOrdinary(names: readonly (string | undefined)[]): names is readonly string[] {
  for (let i = 0; i < names.length; i++) {
    const name = names[i];
    if (name === undefined || name === "length" || name in Object.prototype || /^\d+$/.test(name)) return false;
    if (names.indexOf(name) !== i) return false;
  }
  return true;
}

/**
 * Two prototypes: the outer carries the getters; the inner has exactly the own names of `Object.prototype`, because
 * serializers (devalue, turbo-stream) tell a plain object by them, and `constructor: Object` for test runners.
 */
function rowClass(width: number): RowClass {
  class Values {
    readonly #values: Value[];
    constructor(values: Value[]) {
      this.#values = values;
    }
    static at(row: Values, index: number): Value {
      return row.#values[index] as Value;
    }
  }
  for (let i = 0; i < width; i++) {
    Object.defineProperty(Values.prototype, i, {
      get(this: Values) {
        return Values.at(this, i);
      },
    });
  }
  Object.defineProperty(Values.prototype, "length", { value: width });

  class PlainRow extends Values {
    constructor(values: Value[], names: readonly string[]) {
      super(values);
      for (let i = 0; i < width; i++) (this as unknown as Row)[names[i] as string] = values[i] as Value;
    }
  }
  Object.defineProperties(PlainRow.prototype, Object.getOwnPropertyDescriptors(Object.prototype));
  return PlainRow as unknown as RowClass;
}

/** The same steps as upstream, for names that make a difference. */
function exactRow(names: readonly (string | undefined)[], values: Value[]): Row {
  const row = {} as Row;
  Object.defineProperty(row, "length", { value: values.length });
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    Object.defineProperty(row, i, { value });
    const name = names[i];
    if (name !== undefined && !Object.hasOwn(row, name)) {
      Object.defineProperty(row, name, { value, enumerable: true, configurable: true, writable: true });
    }
  }
  return row;
}

/** What a statement returned. */
export class ResultSetImpl implements ResultSet {
  columns: string[];
  columnTypes: string[];
  rows: Row[];
  rowsAffected: number;
  lastInsertRowid: bigint | undefined;

  constructor(
    columns: string[],
    columnTypes: string[],
    rows: Row[],
    rowsAffected: number,
    lastInsertRowid: bigint | undefined,
  ) {
    this.columns = columns;
    this.columnTypes = columnTypes;
    this.rows = rows;
    this.rowsAffected = rowsAffected;
    this.lastInsertRowid = lastInsertRowid;
  }

  toJSON(): unknown {
    return {
      columns: this.columns,
      columnTypes: this.columnTypes,
      rows: this.rows.map((row) => Array.from(row as ArrayLike<Value>, plainValue)),
      rowsAffected: this.rowsAffected,
      lastInsertRowid: this.lastInsertRowid === undefined ? null : `${this.lastInsertRowid}`,
    };
  }
}

function plainValue(value: Value): unknown {
  if (typeof value === "bigint") return `${value}`;
  return value instanceof ArrayBuffer ? base64OfBytes(new Uint8Array(value)) : value;
}
