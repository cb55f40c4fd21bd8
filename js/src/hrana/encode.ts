// Statements to request JSON, built as text: one pass, no intermediate objects.
import type { InArgs, InStatement, InValue, TransactionMode } from "../api.ts";
import type { LogIndex } from "../consistency/log-index.ts";
import { base64OfBytes } from "./base64.ts";
import { type ProtocolVersion, STORED_TEXT_BYTES_MAX, STORED_TEXTS_MAX } from "./proto.ts";

const INTEGER_MIN = -9223372036854775808n;
const INTEGER_MAX = 9223372036854775807n;

/** A statement ready to be put into a request. */
export interface EncodedStatement {
  /** The SQL text as a JSON string. */
  sql: string;
  /** `,"args":[...]`, `,"named_args":[...]` or nothing. */
  args: string;
}

/** A statement in any of the forms that the client takes. */
export type AnyStatement = InStatement | readonly [string, (InArgs | undefined)?];

/** SQL text of a statement, as text whatever the caller passed. */
export function sqlOf(statement: AnyStatement): string {
  if (typeof statement === "string") return statement;
  return String(Array.isArray(statement) ? statement[0] : (statement as { sql: string }).sql);
}

/**
 * Encodes one statement.
 *
 * @throws TypeError for a value that cannot be bound, such as `undefined`.
 * @throws RangeError for a number that is not finite, or a bigint outside 64 bits.
 */
export function encodeStatement(statement: AnyStatement): EncodedStatement {
  if (typeof statement === "string") return { sql: JSON.stringify(statement), args: "" };
  const args = Array.isArray(statement) ? statement[1] : (statement as { args?: InArgs }).args;
  return { sql: JSON.stringify(sqlOf(statement)), args: encodeArgs(args) };
}

function encodeArgs(args: InArgs | undefined): string {
  if (!args) return "";
  let text = "";
  if (Array.isArray(args)) {
    // Not `map`: a hole must meet encodeValue as `undefined`.
    for (let i = 0; i < args.length; i++) text += (i === 0 ? "" : ",") + encodeValue(args[i] as InValue);
    return text === "" ? "" : `,"args":[${text}]`;
  }
  for (const [name, value] of Object.entries(args)) {
    text += `${text === "" ? "" : ","}{"name":${JSON.stringify(name)},"value":${encodeValue(value)}}`;
  }
  return text === "" ? "" : `,"named_args":[${text}]`;
}

/** Encodes one value. Numbers are always REAL, as upstream binds them. Throws as {@link encodeStatement}. */
export function encodeValue(value: InValue): string {
  switch (typeof value) {
    case "string":
      return `{"type":"text","value":${JSON.stringify(value)}}`;
    case "number":
      return encodeNumber(value);
    case "bigint":
      if (value < INTEGER_MIN || value > INTEGER_MAX) {
        throw new RangeError(
          "This bigint value is too large to be represented as a 64-bit integer and passed as argument",
        );
      }
      return `{"type":"integer","value":"${value}"}`;
    case "boolean":
      return value ? '{"type":"integer","value":"1"}' : '{"type":"integer","value":"0"}';
    case "object":
      return value === null ? '{"type":"null"}' : encodeObject(value);
    default:
      throw new TypeError("Unsupported type of value");
  }
}

function encodeNumber(value: number): string {
  if (!Number.isFinite(value)) {
    throw new RangeError("Only finite numbers (not Infinity or NaN) can be passed as arguments");
  }
  return `{"type":"float","value":${value}}`;
}

/** By tag and not by `instanceof`: test runners and frames hand over buffers of another realm. */
function encodeObject(value: ArrayBuffer | Uint8Array | Date): string {
  if (ArrayBuffer.isView(value)) {
    if (value[Symbol.toStringTag] === "Uint8Array") return encodeBlob(value);
  } else {
    const tag = Object.prototype.toString.call(value);
    if (tag === "[object ArrayBuffer]") return encodeBlob(new Uint8Array(value as ArrayBuffer));
    if (tag === "[object Date]") return encodeNumber(+(value as Date).valueOf());
  }
  return `{"type":"text","value":${JSON.stringify(`${(value as object).toString()}`)}}`;
}

function encodeBlob(bytes: Uint8Array): string {
  return `{"type":"blob","base64":"${base64OfBytes(bytes)}"}`;
}

/** One request body, without its baton. `count` is the number of results that the server must return. */
export interface EncodedRequests {
  requests: string;
  count: number;
}

/** The stream request that runs one statement, on a replica once that has come to `index`. */
export function executeRequest(statement: EncodedStatement, index: LogIndex = ""): EncodedRequests {
  return { requests: `{"type":"execute","stmt":${stmt(statement.sql, statement.args + asking(index))}}`, count: 1 };
}

/** The stream request that runs one statement without arguments. */
export function executeSqlRequest(sql: string, index: LogIndex = ""): EncodedRequests {
  return executeRequest({ sql: JSON.stringify(sql), args: "" }, index);
}

/** `index` is digits and nothing else, so it needs no escaping. */
function asking(index: LogIndex): string {
  return index === "" ? "" : `,"replication_index":"${index}"`;
}

/** The stream request that runs a script. */
export function sequenceRequest(sql: string): EncodedRequests {
  return { requests: `{"type":"sequence","sql":${JSON.stringify(String(sql))}}`, count: 1 };
}

/**
 * The stream request whose answer says where the primary's log is, also through a replica: a replica passes a savepoint
 * on, which takes no lock, while it answers an empty batch or `BEGIN` from what it has itself.
 */
export function primaryIndexRequest(): EncodedRequests {
  const steps = '{"stmt":{"sql":"SAVEPOINT seawall"}},{"stmt":{"sql":"RELEASE seawall"}}';
  return { requests: `{"type":"batch","batch":{"steps":[${steps}]}}`, count: 1 };
}

export const CLOSE_REQUEST = '{"type":"close"}';

/** How the statements of a batch are wrapped. */
export interface BatchShape {
  /** Mode of the transaction to begin; `undefined` inside one. */
  begin: TransactionMode | undefined;
  /** Ends the transaction: COMMIT if all went well, else ROLLBACK. */
  commit: boolean;
  /** Foreign keys are off meanwhile. */
  migration: boolean;
}

/** Which step of an encoded batch is what. */
export interface BatchLayout {
  /** Index of BEGIN, or -1. */
  begin: number;
  /** Index of the first of the caller's statements. */
  first: number;
  count: number;
  /** Index of COMMIT, or -1. */
  commit: number;
  steps: number;
}

export function batchLayout(count: number, shape: BatchShape): BatchLayout {
  const begin = shape.begin === undefined ? -1 : shape.migration ? 1 : 0;
  const first = begin + 1;
  const commit = shape.commit ? first + count : -1;
  const steps = first + count + (shape.commit ? 2 : 0) + (shape.migration ? 1 : 0);
  return { begin, first, count, commit, steps };
}

const NOT_AUTOCOMMIT = '{"type":"not","cond":{"type":"is_autocommit"}}';

/**
 * The stream requests of a batch: each step runs only if the one before it succeeded and, from version 3 on, if the
 * transaction is still open. A ROLLBACK among the statements therefore ends the batch, and nothing runs outside it.
 */
export function batchRequests(
  statements: readonly EncodedStatement[],
  shape: BatchShape,
  version: ProtocolVersion,
  index: LogIndex = "",
): EncodedRequests {
  const { first, commit } = batchLayout(statements.length, shape);
  const stored = storedTexts(statements);
  const steps: string[] = [];
  if (shape.migration) steps.push('{"stmt":{"sql":"PRAGMA foreign_keys=off"}}');
  if (shape.begin !== undefined) steps.push(`{"stmt":{"sql":"${beginSql(shape.begin)}"}}`);
  for (let i = 0; i < statements.length; i++) {
    const { sql, args } = statements[i] as EncodedStatement;
    const previous = i > 0 || shape.begin !== undefined ? first + i - 1 : -1;
    const id = stored.get(sql);
    const text = id === undefined ? stmt(sql, args) : `{"sql_id":${id}${args}}`;
    steps.push(`{${condition(previous, version)}"stmt":${text}}`);
  }
  if (shape.commit) {
    steps.push(`{${condition(commit - 1, version)}"stmt":{"sql":"COMMIT"}}`);
    steps.push(`{"condition":{"type":"not","cond":{"type":"ok","step":${commit}}},"stmt":{"sql":"ROLLBACK"}}`);
  }
  if (shape.migration) steps.push('{"stmt":{"sql":"PRAGMA foreign_keys=on"}}');
  let store = "";
  for (const [sql, id] of stored) store += `{"type":"store_sql","sql_id":${id},"sql":${sql}},`;
  return {
    requests: `${store}{"type":"batch","batch":{"steps":[${steps.join(",")}]${asking(index)}}}`,
    count: stored.size + 1,
  };
}

/** The statement that opens a transaction. Throws RangeError for an unknown mode. */
export function beginSql(mode: TransactionMode): string {
  if (mode === "write") return "BEGIN IMMEDIATE";
  if (mode === "read") return "BEGIN TRANSACTION READONLY";
  if (mode === "deferred") return "BEGIN DEFERRED";
  throw new RangeError('Unknown transaction mode, supported values are "write", "read" and "deferred"');
}

function stmt(sql: string, args: string): string {
  return `{"sql":${sql}${args}}`;
}

/** `previous` is the step that must have succeeded, or -1. */
function condition(previous: number, version: ProtocolVersion): string {
  if (version < 3) return previous < 0 ? "" : `"condition":{"type":"ok","step":${previous}},`;
  if (previous < 0) return `"condition":${NOT_AUTOCOMMIT},`;
  return `"condition":{"type":"and","conds":[{"type":"ok","step":${previous}},${NOT_AUTOCOMMIT}]},`;
}

/** Characters that repeating a text must save before it is stored on the server instead. */
const STORE_SAVES_MIN = 1_024;

/**
 * Texts worth sending once: `store_sql` costs the server a request entry, so only long or often repeated texts pay.
 *
 * The server counts UTF-8 bytes. A text is surely within the limit when three bytes a character are.
 */
function storedTexts(statements: readonly EncodedStatement[]): Map<string, number> {
  const stored = new Map<string, number>();
  if (statements.length < 2) return stored;
  const uses = new Map<string, number>();
  for (const { sql } of statements) uses.set(sql, (uses.get(sql) ?? 0) + 1);
  for (const [sql, times] of uses) {
    if (stored.size >= STORED_TEXTS_MAX) break;
    if ((times - 1) * sql.length < STORE_SAVES_MIN || sql.length * 3 > STORED_TEXT_BYTES_MAX) continue;
    stored.set(sql, stored.size);
  }
  return stored;
}
