// What may be said of an operation in a trace, a metric or a log: OpenTelemetry's database conventions 1.44. Never an
// argument, a literal or a token: texts of statements are normal texts, errors are codes.

import { CODES } from "../codes.ts";
import { failureOf, ResilienceError } from "../errors.ts";
import type { AnyStatement } from "../hrana/encode.ts";
import type { Operation } from "../operation.ts";
import { textOf } from "../slow-queries.ts";
import type { AttributeValue } from "./span.ts";

/** Characters of a summary, at most. */
const SUMMARY_MAX = 255;
/** Different codes of errors that are told; the next ones are `_OTHER`. */
const CODES_MAX = 100;
/** Statements of a batch that are looked at. */
const STATEMENTS_MAX = 20;
const VERBS = new Set(
  "select insert update delete replace create drop alter pragma begin commit rollback explain attach detach vacuum analyze reindex savepoint release values".split(
    " ",
  ),
);
/** What stands between a verb and the name of what it is about. */
const FILLERS = new Set(
  "or abort fail ignore rollback replace into from table if not exists temp temporary virtual unique index view trigger only".split(
    " ",
  ),
);
/** Behind a table in a list of tables: not another name of it. */
const CLAUSES = new Set(
  "where group order limit having union except intersect on using join left right inner outer cross natural full set values returning indexed not as window".split(
    " ",
  ),
);
const TOKEN = /[\p{L}_][\p{L}\p{N}_$]*|[^\s]/gu;
const NAME = /^[\p{L}_][\p{L}\p{N}_$]*$/u;

/** What a statement does and to what, from its normal text. */
export interface Summary {
  /** In capitals; empty when the text does not begin with a known word. */
  readonly verb: string;
  readonly tables: readonly string[];
}

/** The verb and the tables of a statement, in the order in which it names them, each once. */
export function summaryOf(normal: string): Summary {
  const tokens = normal.match(TOKEN) ?? [];
  let verb = "";
  const tables = new Set<string>();
  const common = new Set<string>();
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at] as string;
    const after = tokens[at + 1];
    if (token === ";") break;
    if (verb === "" && VERBS.has(token)) verb = token.toUpperCase();
    // A name of WITH is no table: `with recent as (`.
    if (after === "as" && tokens[at + 2] === "(" && NAME.test(token)) common.add(token);
    const isList = token === "from";
    const namesOne = isList || token === "join" || token === "into" || token === "table" || isTarget(tokens, at);
    if (!namesOne) continue;
    let place = at + 1;
    for (;;) {
      while (FILLERS.has(tokens[place] ?? "")) place += 1;
      const found = nameAt(tokens, place);
      if (found === undefined) break;
      if (!common.has(found.name)) tables.add(found.name);
      place = found.next;
      if (tokens[place] === "as") place += 1;
      if (NAME.test(tokens[place] ?? "") && !CLAUSES.has(tokens[place] ?? "")) place += 1;
      if (!isList || tokens[place] !== ",") break;
      place += 1;
    }
  }
  return { verb, tables: [...tables] };
}

/** `update t`, `create index i on t`, `pragma p`: words that a name follows at the beginning of a statement. */
function isTarget(tokens: readonly string[], at: number): boolean {
  if (at === 0) return tokens[0] === "update" || tokens[0] === "pragma";
  return tokens[at] === "on" && (tokens[0] === "create" || tokens[0] === "drop");
}

/** A name, perhaps behind that of its database. */
function nameAt(tokens: readonly string[], at: number): { name: string; next: number } | undefined {
  const first = tokens[at];
  if (first === undefined || !NAME.test(first) || first === "select") return undefined;
  const second = tokens[at + 2];
  if (tokens[at + 1] === "." && second !== undefined && NAME.test(second)) return { name: second, next: at + 3 };
  return { name: first, next: at + 1 };
}

/** What is said of an operation before it runs. */
export interface Description {
  /** Name of its span. */
  readonly name: string;
  readonly attributes: Record<string, AttributeValue>;
}

/** Where operations go, as attributes: the same for all of one database. */
export type Place = Readonly<Record<string, AttributeValue>>;

/** Attributes of one database. `url` carries no credentials. */
export function placeOf(system: string, database: string, url: URL | undefined): Place {
  const place: Record<string, AttributeValue> = { "db.system.name": system, "db.namespace": database.slice(0, 255) };
  if (system === "sqlite" && url !== undefined) place["seawall.dialect"] = "libsql";
  if (url === undefined) return place;
  place["server.address"] = url.hostname;
  if (url.port !== "") place["server.port"] = Number(url.port);
  return place;
}

/** What is said of an operation. */
export function described(operation: Operation, place: Place): Description {
  const { statements, labels, name, class: kind } = operation;
  const attributes: Record<string, AttributeValue> = { ...place };
  if (statements === undefined) {
    const verb = labels?.operation ?? name ?? "call";
    attributes["db.operation.name"] = cut(verb);
    if (labels?.table) attributes["db.collection.name"] = cut(labels.table);
    return { name: cut(labels?.table ? `${verb} ${labels.table}` : verb), attributes };
  }
  const size = statements.length;
  const isScript = size === 1 && kind === "batch" && name === "executeMultiple";
  const text = textOf(size > STATEMENTS_MAX ? statements.slice(0, STATEMENTS_MAX) : statements);
  const all = summariesOf(text, statements);
  const verbs = [...new Set(all.map(({ verb }) => verb))];
  const tables = [...new Set(all.flatMap((summary) => summary.tables))];
  const isBatch = kind === "batch" ? size !== 1 || isScript : size > 1;
  const [first = ""] = verbs;
  const own = verbs.length === 1 ? first : "";
  const verb = [isBatch ? "BATCH" : "", own].filter((word) => word !== "").join(" ");
  const operationName = labels?.operation ?? (verb === "" ? (name ?? "execute") : verb);
  if (size === 0 || size > 1) attributes["db.operation.batch.size"] = size;
  attributes["db.operation.name"] = cut(operationName);
  const table = labels?.table || (tables.length === 1 ? tables[0] : undefined);
  if (table) attributes["db.collection.name"] = cut(table);
  const summary = joined([verb === "" ? operationName : verb, ...(labels?.table ? [labels.table] : tables)]);
  attributes["db.query.summary"] = summary;
  if (text !== "") attributes["db.query.text"] = text;
  return { name: summary, attributes };
}

function summariesOf(text: string, statements: readonly AnyStatement[]): Summary[] {
  if (statements.length === 1) return text.split(/;\s*/).slice(0, STATEMENTS_MAX).map(summaryOf);
  return statements.slice(0, STATEMENTS_MAX).map((statement) => summaryOf(textOf([statement])));
}

/** Words as one text, up to the last that fits. */
function joined(words: readonly string[]): string {
  let text = "";
  for (const word of words) {
    const longer = text === "" ? word : `${text} ${word}`;
    if (longer.length > SUMMARY_MAX) return text === "" ? longer.slice(0, SUMMARY_MAX) : text;
    text = longer;
  }
  return text;
}

function cut(text: string): string {
  return String(text).slice(0, SUMMARY_MAX);
}

const KNOWN_CODES = new Set<string>();
const OWN_CODES = new Set([
  ...CODES.map(({ name }) => name),
  ...["CONNECT_FAILED", "CONNECTION_LOST", "BODY_LOST", "BAD_RESPONSE", "ABORTED", "SERVER_ERROR", "STREAM_EXPIRED"],
  ...["AUTH_TOKEN_INVALID", "CLIENT_CLOSED", "TRANSACTION_CLOSED"],
]);
/** Codes of SQLite, of sqld, of the operating system, and SQLSTATE. Others may hold anything that a server likes. */
const CODE = /^(?:SQLITE_[A-Z_]{2,40}|SQL_[A-Z_]{2,40}|E[A-Z_]{3,24}|[0-9A-Z]{5})$/;

/** A code that stands for an error, of few different ones: `_OTHER` for what has none. */
export function errorTypeOf(error: unknown): string {
  const code: unknown = typeof error === "object" && error !== null ? (error as { code?: unknown }).code : undefined;
  if (typeof code !== "string") return "_OTHER";
  if (OWN_CODES.has(code) || KNOWN_CODES.has(code)) return code;
  if (!CODE.test(code) || KNOWN_CODES.size >= CODES_MAX) return "_OTHER";
  KNOWN_CODES.add(code);
  return code;
}

/** What is said of an error: its code, the database's own status, and that of the answer. */
export function failureAttributes(error: unknown): Record<string, AttributeValue> {
  const attributes: Record<string, AttributeValue> = { "error.type": errorTypeOf(error) };
  const own = rootOf(error);
  const code = errorTypeOf(own);
  if (code.startsWith("SQLITE_")) attributes["db.response.status_code"] = code;
  const status = failureOf(own)?.status ?? 0;
  if (status >= 300) attributes["http.response.status_code"] = status;
  return attributes;
}

/** The database's own error behind that of a policy. */
function rootOf(error: unknown): unknown {
  const { cause } = error as { cause?: unknown };
  return error instanceof ResilienceError && cause !== undefined ? cause : error;
}

/** Those attributes of an operation that have few enough values for a metric. */
export function metricAttributes(attributes: Readonly<Record<string, AttributeValue>>): Record<string, AttributeValue> {
  const chosen: Record<string, AttributeValue> = {};
  for (const name of METRIC_ATTRIBUTES) {
    const value = attributes[name];
    if (value !== undefined) chosen[name] = value;
  }
  return chosen;
}

const METRIC_ATTRIBUTES = [
  "db.system.name",
  "db.namespace",
  "db.operation.name",
  "db.collection.name",
  "db.response.status_code",
  "error.type",
  "server.address",
  "server.port",
] as const;

/** The SQL of statements, for a log that tells of arguments only how many there are. */
export function argumentsOf(statements: readonly AnyStatement[]): number {
  return statements.reduce((sum, statement) => sum + countOf(statement), 0);
}

function countOf(statement: AnyStatement): number {
  const args: unknown = Array.isArray(statement) ? statement[1] : (statement as { args?: unknown }).args;
  if (typeof statement === "string" || args === undefined || args === null) return 0;
  return typeof args === "object" ? Object.keys(args).length : 0;
}
