// Reads the rows of a large answer without a JavaScript object for every cell.
//
// `JSON.parse` spends most of its time on the cells, each an object of its own: 10,000 rows of 5 columns take 12 ms so, and
// 5 ms here. The scanner knows only the exact bytes that servers write (`{"type":"text","value":"…"}`, no spaces, keys in
// that order). Anything else, and anything that must end in an error, it leaves to `JSON.parse`.
//
// A quote inside a JSON string is always escaped, so `"rows":[` and `{"type":"` are what they look like wherever they stand.
import type { IntMode, Value } from "../api.ts";
import { bytesOfBase64 } from "./base64.ts";

/** Rows whose cells are values already. */
export class ScannedRows {
  readonly rows: Value[][];
  constructor(rows: Value[][]) {
    this.rows = rows;
  }
}

/** An answer with its rows taken out: where they stood, `skeleton` holds an index into `tables`. */
export interface Scan {
  skeleton: string;
  tables: ScannedRows[];
}

const ROWS = '"rows":[';
const TEXT = '{"type":"text","value":"';
const INTEGER = '{"type":"integer","value":"';
const FLOAT = '{"type":"float","value":';
const BLOB = '{"type":"blob","base64":"';
const NULL = '{"type":"null"}';

const QUOTE = 34;
const COMMA = 44;
const MINUS = 45;
const ZERO = 48;
const OPEN = 91;
const BACKSLASH = 92;
const CLOSE = 93;

/** From this length on, V8 makes a substring that keeps the whole answer alive. */
const COPIED_FROM = 13;
/** Texts copied at once. */
const COPY_BLOCK = 256;
/** Digits that always fit a safe integer. */
const SAFE_DIGITS = 15;

/** Takes the rows out of an answer, or returns `undefined` if it is not written as expected. */
export function scanRows(text: string, intMode: IntMode): Scan | undefined {
  const tables: ScannedRows[] = [];
  let skeleton = "";
  let kept = 0;
  let at = text.indexOf(ROWS);
  while (at >= 0) {
    const start = at + ROWS.length;
    let end = start;
    if (text.charCodeAt(start) === OPEN) {
      const rows: Value[][] = [];
      end = scanTable(text, start, intMode, rows);
      if (end < 0) return undefined;
      skeleton += `${text.slice(kept, at)}"rows":${tables.length}`;
      tables.push(new ScannedRows(rows));
      kept = end;
    }
    at = text.indexOf(ROWS, end);
  }
  return { skeleton: skeleton + text.slice(kept), tables };
}

/** Reads rows from the bracket of the first one on. Returns the position after the last bracket, or -1. */
function scanTable(text: string, start: number, intMode: IntMode, rows: Value[][]): number {
  const copies = new Copies();
  let backslash = -1;
  let width = -1;
  let p = start;
  for (;;) {
    if (text.charCodeAt(p) !== OPEN) return -1;
    // All rows have the width of the first: an array made to measure takes a quarter of the memory of one that grows.
    const row: Value[] = width < 0 ? [] : new Array(width);
    let column = 0;
    do {
      p++;
      const kind = text.charCodeAt(p + 9);
      if (kind === 116 /* t */ && text.startsWith(TEXT, p)) {
        const from = p + TEXT.length;
        if (backslash < from) {
          backslash = text.indexOf("\\", from);
          if (backslash < 0) backslash = Number.POSITIVE_INFINITY;
        }
        let to = text.indexOf('"', from);
        const isEscaped = backslash < to;
        if (isEscaped) to = closingQuote(text, backslash);
        if (to < 0) return -1;
        if (isEscaped || to - from >= COPIED_FROM) {
          if (!copies.add(text.slice(from - 1, to + 1), row, column)) return -1;
          column++;
        } else {
          row[column++] = text.slice(from, to);
        }
        p = to + 2;
      } else if (kind === 105 /* i */ && text.startsWith(INTEGER, p)) {
        const from = p + INTEGER.length;
        const isNegative = text.charCodeAt(from) === MINUS;
        const first = isNegative ? from + 1 : from;
        let to = first;
        let number = 0;
        for (;;) {
          const digit = text.charCodeAt(to) - ZERO;
          if (!(digit >= 0 && digit <= 9)) break;
          number = number * 10 + digit;
          to++;
        }
        if (to === first || text.charCodeAt(to) !== QUOTE) return -1;
        if (intMode === "number") {
          if (to - first > SAFE_DIGITS && !Number.isSafeInteger(number)) return -1;
          row[column++] = isNegative && number !== 0 ? -number : number;
        } else {
          const integer = BigInt(text.slice(from, to));
          row[column++] = intMode === "bigint" ? integer : `${integer}`;
        }
        p = to + 2;
      } else if (kind === 102 /* f */ && text.startsWith(FLOAT, p)) {
        const from = p + FLOAT.length;
        const to = text.indexOf("}", from);
        const number = to > from ? +text.slice(from, to) : Number.NaN;
        if (!Number.isFinite(number)) return -1;
        row[column++] = number;
        p = to + 1;
      } else if (kind === 110 /* n */ && text.startsWith(NULL, p)) {
        row[column++] = null;
        p += NULL.length;
      } else if (kind === 98 /* b */ && text.startsWith(BLOB, p)) {
        const from = p + BLOB.length;
        const to = text.indexOf('"', from);
        const bytes = to < 0 ? undefined : blob(text.slice(from, to));
        if (bytes === undefined) return -1;
        row[column++] = bytes;
        p = to + 2;
      } else {
        return -1;
      }
    } while (text.charCodeAt(p) === COMMA);
    if (text.charCodeAt(p) !== CLOSE) return -1;
    if (width < 0) width = column;
    else if (column !== width) return -1;
    rows.push(row);
    p++;
    if (text.charCodeAt(p) !== COMMA) break;
    p++;
  }
  return text.charCodeAt(p) === CLOSE && copies.flush() ? p + 1 : -1;
}

/** Position of the quote that ends a string, searched from an backslash inside it; -1 if there is none. */
function closingQuote(text: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === BACKSLASH) i++;
    else if (code === QUOTE) return i;
  }
  return -1;
}

function blob(base64: string): ArrayBuffer | undefined {
  try {
    return bytesOfBase64(base64);
  } catch {
    return undefined;
  }
}

/** Texts that must not share the answer's memory, or hold escapes: a block of them goes through `JSON.parse` at once. */
class Copies {
  #texts: string[] = [];
  #rows: Value[][] = [];
  #columns: number[] = [];

  /** Promises the JSON string `json` to a place in `row`. False if one of the block is no JSON. */
  add(json: string, row: Value[], column: number): boolean {
    this.#texts.push(json);
    this.#rows.push(row);
    this.#columns.push(column);
    row[column] = "";
    return this.#texts.length < COPY_BLOCK || this.flush();
  }

  /** Keeps the promises. */
  flush(): boolean {
    let copies: string[];
    try {
      copies = JSON.parse(`[${this.#texts.join(",")}]`) as string[];
    } catch {
      return false;
    }
    if (copies.length !== this.#texts.length) return false;
    for (let i = 0; i < copies.length; i++) {
      (this.#rows[i] as Value[])[this.#columns[i] as number] = copies[i] as string;
    }
    this.#texts = [];
    this.#rows = [];
    this.#columns = [];
    return true;
  }
}
