// Response JSON to results. `JSON.parse` does the reading; this checks the shape and turns cells into values in place.
import type { IntMode, ResultSet, Row, Value } from "../api.ts";
import { attachFailure, LibsqlBatchError, LibsqlError, withoutStack } from "../errors.ts";
import { ResultSetImpl, rowBuilder } from "../rows.ts";
import { bytesOfBase64 } from "./base64.ts";
import type { BatchLayout } from "./encode.ts";
import type { BatchResult, Column, PipelineResponse, ProtoError, StatementResult, StreamResult } from "./proto.ts";
import { ScannedRows, scanRows } from "./scan.ts";

/** Thrown while reading a body that is not the protocol; never leaves this room. */
class ShapeError extends Error {}

/**
 * Reads a pipeline body.
 *
 * @throws {@link LibsqlError} `BAD_RESPONSE` when it is not one, or holds another number of results than `count`.
 */
export function decodePipeline(text: string, count: number, intMode: IntMode): PipelineResponse {
  const body = parseBody(text, intMode);
  if (body === null || typeof body !== "object" || !Array.isArray(body.results)) {
    throw badResponse(200, "the body holds no results");
  }
  if (body.results.length !== count) throw badResponse(200, "the number of results is not that of the requests");
  return body;
}

/** Characters from which on the scanner pays. */
const SCANNED_FROM = 2_048;

function parseBody(text: string, intMode: IntMode): PipelineResponse {
  try {
    const scan = text.length < SCANNED_FROM ? undefined : scanRows(text, intMode);
    if (scan === undefined) return JSON.parse(text) as PipelineResponse;
    const body = JSON.parse(scan.skeleton) as PipelineResponse;
    if (scan.tables.length > 0) putBack(body, scan.tables);
    return body;
  } catch {
    throw badResponse(200, "the body is not JSON");
  }
}

/** Replaces the indices that the scanner left by the rows they stand for. */
function putBack(body: PipelineResponse, tables: ScannedRows[]): void {
  for (const result of body?.results ?? []) {
    if (result?.type !== "ok") continue;
    const value = result.response?.result as Partial<StatementResult & BatchResult> | null | undefined;
    for (const rows of value?.step_results ?? [value as StatementResult | null | undefined]) {
      if (typeof rows?.rows === "number") rows.rows = tables[rows.rows] as ScannedRows;
    }
  }
}

/** The error for an answer that is not the protocol. */
export function badResponse(status: number, what: string): LibsqlError {
  const error = new LibsqlError(`The server's answer was not understood: ${what}`, "BAD_RESPONSE");
  return attachFailure(error, { status, code: "BAD_RESPONSE", sent: true });
}

/** Result of an `execute` request. Throws the statement's error, or RangeError for an integer too large for `intMode`. */
export function executeResult(result: StreamResult, intMode: IntMode): ResultSet {
  return reading(() => resultSet(payload(result, "execute") as StatementResult, intMode));
}

/** Checks the answer to a request that returns nothing of interest. */
export function expectOk(result: StreamResult, type: string): void {
  reading(() => payload(result, type));
}

/** How the steps of a batch ended. */
export interface BatchOutcome {
  /** The error of BEGIN, if it failed. */
  beginError: LibsqlError | undefined;
  /** Results of the caller's statements; throws the first error among BEGIN, the statements and COMMIT. */
  take(): ResultSet[];
}

/** Result of a `batch` request with that layout. */
export function batchOutcome(result: StreamResult, layout: BatchLayout, intMode: IntMode): BatchOutcome {
  return reading(() => {
    const batch = payload(result, "batch") as BatchResult;
    const results = batch?.step_results;
    const errors = batch?.step_errors;
    if (!Array.isArray(results) || !Array.isArray(errors)) throw new ShapeError("a batch without steps");
    const errorAt = (step: number) => (step < 0 || !errors[step] ? undefined : errors[step]);
    const begin = errorAt(layout.begin);
    const beginError = begin && statementError(begin);
    const take = () => {
      if (beginError) throw beginError;
      const sets: ResultSet[] = [];
      for (let i = 0; i < layout.count; i++) {
        const step = layout.first + i;
        const error = errorAt(step);
        if (error) throw batchError(statementError(error), i);
        const rows = results[step];
        if (!rows) throw skipped(i, layout.commit >= 0);
        sets.push(resultSet(rows, intMode));
      }
      const commit = errorAt(layout.commit);
      if (commit) throw statementError(commit);
      return sets;
    };
    return { beginError, take: () => reading(take) };
  });
}

function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ShapeError) throw badResponse(200, error.message);
    // The statement ran; only its integers do not fit. That is no failure of the database.
    if (error instanceof RangeError) throw attachFailure(error, { status: 200, code: "INTEGER_TOO_LARGE", sent: true });
    throw error;
  }
}

function payload(result: StreamResult, type: string): unknown {
  if (result?.type === "error" && typeof result.error?.message === "string") throw statementError(result.error);
  if (result?.type !== "ok" || result.response?.type !== type) throw new ShapeError("an unexpected type of result");
  return result.response.result;
}

/** The database's own words about a statement, as upstream carries them in `cause`. */
class ResponseError extends Error {
  declare code: string | undefined;
  declare proto: ProtoError;

  constructor(proto: ProtoError) {
    super(proto.message);
    this.name = "ResponseError";
    this.code = proto.code ?? undefined;
    this.proto = proto;
  }
}

function statementError(proto: ProtoError): LibsqlError {
  return responseError(proto, 200);
}

/** The error for an answer that carries a message and perhaps a code of the server. */
export function responseError(proto: ProtoError, status: number): LibsqlError {
  const code = typeof proto.code === "string" ? proto.code : "UNKNOWN";
  const extended = typeof proto.extended_code === "string" ? proto.extended_code : undefined;
  const cause = withoutStack(() => new ResponseError(proto));
  const error = new LibsqlError(String(proto.message), code, extended, undefined, cause);
  return attachFailure(error, { status, code, sent: true });
}

function batchError(error: LibsqlError, index: number): LibsqlBatchError {
  const { message, code, extendedCode, rawCode, cause } = error;
  const wrapped = new LibsqlBatchError(message, index, code, extendedCode, rawCode, cause as Error);
  return attachFailure(wrapped, { status: 200, code, sent: true });
}

function skipped(index: number, isBatch: boolean): LibsqlBatchError {
  const error = new LibsqlBatchError(
    `Statement in a ${isBatch ? "batch" : "transaction"} was not executed, ` +
      "probably because the transaction has been rolled back",
    index,
    "TRANSACTION_CLOSED",
  );
  return attachFailure(error, { status: 200, code: "TRANSACTION_CLOSED", sent: true });
}

function resultSet(result: StatementResult, intMode: IntMode): ResultSet {
  const { cols, rows } = result ?? {};
  const isScanned = rows instanceof ScannedRows;
  const table = isScanned ? rows.rows : rows;
  if (!Array.isArray(cols) || !Array.isArray(table)) throw new ShapeError("a result without rows");
  const width = cols.length;
  const names: (string | undefined)[] = new Array(width);
  const columns: string[] = new Array(width);
  const types: string[] = new Array(width);
  for (let i = 0; i < width; i++) {
    const column = cols[i] as Column;
    if (column === null || typeof column !== "object") throw new ShapeError("a column that is no object");
    names[i] = optionalText(column.name);
    columns[i] = names[i] ?? "";
    types[i] = optionalText(column.decltype) ?? "";
  }
  const build = rowBuilder(names);
  const built: Row[] = new Array(table.length);
  for (let i = 0; i < table.length; i++) {
    const cells = table[i];
    if (!Array.isArray(cells) || cells.length !== width) throw new ShapeError("a row that does not fit its columns");
    if (!isScanned) for (let j = 0; j < width; j++) cells[j] = decodeValue(cells[j] as Cell, intMode);
    built[i] = build(cells as Value[]);
  }
  return new ResultSetImpl(columns, types, built, rowCount(result.affected_row_count), rowid(result.last_insert_rowid));
}

function optionalText(text: unknown): string | undefined {
  if (text === null || text === undefined) return undefined;
  if (typeof text !== "string") throw new ShapeError("a column name that is no text");
  return text;
}

function rowCount(count: unknown): number {
  if (typeof count !== "number") throw new ShapeError("a row count that is no number");
  return count;
}

function rowid(text: unknown): bigint | undefined {
  if (text === null || text === undefined) return undefined;
  if (typeof text !== "string" && !Number.isSafeInteger(text)) throw new ShapeError("a row id that is no integer");
  return integer(text as string | number);
}

interface Cell {
  type: string;
  value?: unknown;
  base64?: unknown;
}

/**
 * One cell to a value.
 *
 * A float without a value is an infinity: JSON has none, SQLite stores NaN as NULL, and the sign is lost on the way.
 * It becomes `NaN`, the one number that claims neither sign.
 */
export function decodeValue(cell: Cell, intMode: IntMode): Value {
  if (cell === null || typeof cell !== "object") throw new ShapeError("a cell that is no object");
  const { value } = cell;
  switch (cell.type) {
    case "text":
      if (typeof value === "string") return value;
      break;
    case "integer":
      if (typeof value === "string") return decodeInteger(value, intMode);
      break;
    case "null":
      return null;
    case "float":
      if (typeof value === "number") return value;
      if (value === null) return Number.NaN;
      break;
    case "blob":
      if (typeof cell.base64 === "string") return blob(cell.base64);
      break;
  }
  throw new ShapeError("a cell of an unknown type");
}

function decodeInteger(text: string, intMode: IntMode): Value {
  if (intMode === "number") {
    const number = +text;
    if (Number.isSafeInteger(number) && text !== "") return number;
    integer(text);
    throw new RangeError("Received integer which is too large to be safely represented as a JavaScript number");
  }
  return intMode === "bigint" ? integer(text) : `${integer(text)}`;
}

function integer(text: string | number): bigint {
  try {
    if (text !== "") return BigInt(text);
  } catch {}
  throw new ShapeError("an integer that is no integer");
}

function blob(base64: string): ArrayBuffer {
  try {
    return bytesOfBase64(base64);
  } catch {
    throw new ShapeError("a blob that is not base64");
  }
}
