// Results as the cache keeps them, and copies of them for callers.
//
// Each caller gets an object of its own: rows are made anew, so that who sorts, extends or overwrites them harms nobody.
// The values are shared, because nobody can change a number or a text; a blob is copied, because its bytes can be changed.

import type { ResultSet, Row, Value } from "../api.ts";
import type { LogIndex } from "../consistency/log-index.ts";
import { marked } from "../consistency/stale.ts";
import { ResultSetImpl, rowBuilder } from "../rows.ts";

/** One result. */
export interface Kept {
  readonly columns: readonly string[];
  readonly columnTypes: readonly string[];
  readonly table: readonly Value[][];
  readonly build: (values: Value[]) => Row;
  readonly hasBlobs: boolean;
  readonly rowsAffected: number;
  readonly lastInsertRowid: bigint | undefined;
  /** The index in the log that it shows; empty if nobody told. */
  readonly index: LogIndex;
  /** What it takes in memory, in bytes, by an estimate. */
  readonly bytes: number;
}

/** Estimates in bytes: of a result without rows, of a row, of a value in it, of a character. */
const RESULT = 256;
const ROW = 48;
const VALUE = 16;
const CHARACTER = 2;

/** Takes what is worth keeping out of a result, which stays its owner's. */
export function keep(result: ResultSet, index: LogIndex): Kept {
  const { columns, columnTypes, rows, rowsAffected, lastInsertRowid } = result;
  const width = columns.length;
  let bytes = RESULT + rows.length * (ROW + VALUE * width);
  let hasBlobs = false;
  const table = rows.map((row) => {
    const values: Value[] = new Array(width);
    for (let i = 0; i < width; i++) {
      const value = row[i] as Value;
      if (typeof value === "string") bytes += CHARACTER * value.length;
      values[i] = value;
      if (typeof value === "object" && value !== null) {
        hasBlobs = true;
        bytes += value.byteLength;
        values[i] = value.slice(0);
      }
    }
    return values;
  });
  const first = rows[0];
  // A column without a name and one that is named "" look alike in `columns`; only the second has a property.
  const names = columns.map((name) => (name === "" && first && !Object.hasOwn(first, "") ? undefined : name));
  const build = rowBuilder(names);
  return {
    columns: columns.slice(),
    columnTypes: columnTypes.slice(),
    table,
    build,
    hasBlobs,
    rowsAffected,
    lastInsertRowid,
    index,
    bytes,
  };
}

/** A copy for one caller. */
export function handOut(kept: Kept): ResultSet {
  const { table, build, hasBlobs } = kept;
  const { length } = table;
  const rows: Row[] = new Array(length);
  for (let i = 0; i < length; i++) {
    const values = table[i] as Value[];
    rows[i] = build(hasBlobs ? values.map(copyOfValue) : values);
  }
  return new ResultSetImpl(
    kept.columns.slice(),
    kept.columnTypes.slice(),
    rows,
    kept.rowsAffected,
    kept.lastInsertRowid,
  );
}

function copyOfValue(value: Value): Value {
  return typeof value === "object" && value !== null ? value.slice(0) : value;
}

/** A copy that says that it is older than the settings ask for. */
export function handOutStale(kept: Kept): ResultSet {
  return marked(handOut(kept), true);
}
