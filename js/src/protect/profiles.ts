// What is known of the clients that people protect: which methods ask the database, and what their errors mean.
//
// An error becomes facts in the core's own words (a status, a code, whether it was sent); the core judges them, as it
// judges our own transport's. `status: 200` with a code stands for a database that answered.

import type { Failure } from "../errors.ts";

/** Kinds of clients that are known by name. Any other name is as good as `"other"`. */
export type DatabaseType =
  | "libsql"
  | "sqlite"
  | "postgresql"
  | "redis"
  | "mongodb"
  | "prisma"
  | "d1"
  | "other"
  | (string & {});

/** Facts about an error, or undefined if nothing is known of it: then it counts as a failure of the database. */
export type Facts = (error: unknown) => Failure | undefined;

/** One kind of client. */
export interface Profile {
  /** Whether every method of the client itself is guarded that is not named here. */
  isEveryMethodGuarded: boolean;
  /** Whether the objects in its properties are protected in turn. */
  areObjectsChained: boolean;
  /** Methods that ask the database. */
  guarded: readonly string[];
  /** Methods that do not, or that wait on purpose. */
  unguarded: readonly string[];
  /** Methods and properties whose objects are protected in turn. */
  chains: readonly string[];
  facts: Facts;
  /** A way to ask a client of this kind whether its database is there; undefined if it has none. */
  pingOf(client: object): (() => Promise<unknown>) | undefined;
}

/** The database answered and refused this statement. */
const STATEMENT: Failure = { status: 200, code: "SQL_ERROR", sent: true };
/** Somebody else holds the lock, or took it back: it did not run. */
const BUSY: Failure = { status: 200, code: "SQLITE_BUSY", sent: true };
/** The server, or something in front of it, failed. */
const BROKEN: Failure = { status: 503, code: "", sent: true };
const LATE: Failure = { status: 0, code: "TIMEOUT", sent: true };
const REFUSED_CREDENTIALS: Failure = { status: 401, code: "", sent: true };
const NOT_SENT: Failure = { status: 0, code: "CONNECT_FAILED", sent: false };
const LOST: Failure = { status: 0, code: "CONNECTION_LOST", sent: true };

/** Codes of Node's own errors. */
const SYSTEM: Record<string, Failure> = {
  ECONNREFUSED: NOT_SENT,
  ENOTFOUND: NOT_SENT,
  EAI_AGAIN: NOT_SENT,
  EHOSTUNREACH: NOT_SENT,
  ENETUNREACH: NOT_SENT,
  ECONNRESET: LOST,
  EPIPE: LOST,
  ETIMEDOUT: LATE,
};

interface Known {
  name?: unknown;
  code?: unknown;
  message?: unknown;
  errorLabels?: unknown;
}

/** Errors of any client: the system's, and mistakes of the code that calls. */
function ofAny(error: unknown): Failure | undefined {
  const { code, name } = (error ?? {}) as Known;
  if (typeof code === "string" && Object.hasOwn(SYSTEM, code)) return SYSTEM[code];
  if (name === "AbortError") return { status: 0, code: "ABORTED", sent: true };
  // `fetch` rejects with a TypeError that has a cause; one without is a mistake in the arguments.
  const isMistake = error instanceof RangeError || error instanceof ReferenceError || error instanceof SyntaxError;
  return isMistake || (error instanceof TypeError && error.cause === undefined) ? STATEMENT : undefined;
}

/** SQLSTATE: its first two characters are the class. */
function ofPostgresql(error: unknown): Failure | undefined {
  const { code } = (error ?? {}) as Known;
  if (typeof code !== "string" || !/^[0-9A-Z]{5}$/.test(code) || Object.hasOwn(SYSTEM, code)) return ofAny(error);
  switch (code.slice(0, 2)) {
    case "08":
      return LOST;
    case "28":
      return REFUSED_CREDENTIALS;
    case "40":
      return BUSY;
    case "53":
    case "58":
    case "XX":
      return BROKEN;
    case "57":
      return code === "57014" ? LATE : BROKEN;
    default:
      return code === "55P03" ? BUSY : STATEMENT;
  }
}

const REDIS_BROKEN = /^(?:LOADING|CLUSTERDOWN|MASTERDOWN|OOM|MISCONF|READONLY|NOREPLICAS)\b/;
const REDIS_BUSY = /^(?:BUSY|TRYAGAIN)\b/;
const REDIS_AUTH = /^(?:NOAUTH|WRONGPASS|NOPERM)\b/;

function ofRedis(error: unknown): Failure | undefined {
  const { name, message } = (error ?? {}) as Known;
  const text = String(message);
  if (name === "MaxRetriesPerRequestError" || text === "Connection is closed.") return LOST;
  if (text === "Command timed out") return LATE;
  if (name !== "ReplyError" && name !== "SimpleError" && name !== "ErrorReply") return ofAny(error);
  if (REDIS_BROKEN.test(text)) return BROKEN;
  if (REDIS_BUSY.test(text)) return BUSY;
  return REDIS_AUTH.test(text) ? REFUSED_CREDENTIALS : STATEMENT;
}

/** Codes of a MongoDB server that is not fit to serve: shutdowns, elections, lost primaries. */
const MONGODB_BROKEN = new Set([6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436]);
const MONGODB_AUTH = new Set([13, 18]);

function ofMongodb(error: unknown): Failure | undefined {
  const { name, code, errorLabels } = (error ?? {}) as Known;
  if (typeof name !== "string" || !name.startsWith("Mongo")) return ofAny(error);
  if (Array.isArray(errorLabels) && errorLabels.includes("TransientTransactionError")) return BUSY;
  if (name === "MongoServerSelectionError" || name === "MongoNotConnectedError") return NOT_SENT;
  if (name === "MongoNetworkTimeoutError" || code === 50) return LATE;
  if (name.startsWith("MongoNetwork") || name === "MongoTopologyClosedError") return LOST;
  if (typeof code !== "number") return name === "MongoServerError" ? BROKEN : STATEMENT;
  if (MONGODB_AUTH.has(code)) return REFUSED_CREDENTIALS;
  return MONGODB_BROKEN.has(code) ? BROKEN : STATEMENT;
}

/** Prisma: P1xxx is the way to the database, P2xxx the query, P5xxx and P6xxx its own services. */
function ofPrisma(error: unknown): Failure | undefined {
  const { name, code, errorCode } = (error ?? {}) as Known & { errorCode?: unknown };
  const known = typeof code === "string" ? code : errorCode;
  if (name === "PrismaClientValidationError") return STATEMENT;
  if (name === "PrismaClientInitializationError" && typeof known !== "string") return NOT_SENT;
  if (typeof known !== "string" || !/^P\d{4}$/.test(known)) return ofAny(error);
  if (known === "P1000" || known === "P1010") return REFUSED_CREDENTIALS;
  if (known === "P1001") return NOT_SENT;
  if (known === "P1002" || known === "P1008" || known === "P2024") return LATE;
  if (known === "P2034") return BUSY;
  if (known === "P1017") return LOST;
  return known.startsWith("P2") || known === "P1012" ? STATEMENT : BROKEN;
}

/** Clients of SQLite say what SQLite said: in `code`, or in the message, as D1 does. */
function ofSqlite(error: unknown): Failure | undefined {
  const { code, message } = (error ?? {}) as Known;
  const found = /\bSQLITE_[A-Z_]+\b/.exec(`${typeof code === "string" ? code : ""} ${String(message)}`);
  if (found !== null) return { status: 200, code: found[0], sent: true };
  const isOfD1 = typeof message === "string" && message.startsWith("D1_");
  return isOfD1 ? (/syntax error|no such/.test(message) ? STATEMENT : BROKEN) : ofAny(error);
}

/** Asks by the first of these methods that the client has. */
function pingBy(...ways: [method: string, ...args: unknown[]][]): Profile["pingOf"] {
  return (client) => {
    const own = client as Record<string, ((...args: unknown[]) => unknown) | undefined>;
    const way = ways.find(([method]) => typeof own[method] === "function");
    return way && (async () => own[way[0]]?.(...way.slice(1)));
  };
}

const SELECT = "SELECT 1";

/** Prepared statements are asked for their first row: `get` is synchronous, `first` is D1's. */
function pingPrepared(client: object): (() => Promise<unknown>) | undefined {
  const { prepare } = client as { prepare?(sql: string): { first?(): unknown; get?(): unknown } };
  if (typeof prepare !== "function") return undefined;
  return async () => {
    const statement = prepare.call(client, SELECT);
    return statement.first === undefined ? statement.get?.() : statement.first();
  };
}

/** A client is asked at its database `admin`, a database at itself. */
function pingMongodb(client: object): (() => Promise<unknown>) | undefined {
  const { db, command } = client as { db?(name: string): object; command?(command: object): Promise<unknown> };
  if (typeof command === "function") return async () => command.call(client, { ping: 1 });
  return typeof db === "function" ? async () => pingMongodb(db.call(client, "admin"))?.() : undefined;
}

const OTHER: Profile = {
  isEveryMethodGuarded: false,
  areObjectsChained: false,
  guarded: [],
  unguarded: [],
  chains: [],
  facts: ofAny,
  pingOf: pingBy(["ping"]),
};

const PROFILES: Record<string, Profile> = {
  libsql: {
    ...OTHER,
    guarded: ["execute", "batch", "migrate", "executeMultiple", "sync", "commit", "rollback"],
    chains: ["transaction"],
    facts: ofSqlite,
    pingOf: pingBy(["execute", SELECT]),
  },
  sqlite: { ...OTHER, facts: ofSqlite, pingOf: pingPrepared },
  d1: {
    ...OTHER,
    guarded: ["batch", "exec", "dump", "all", "run", "raw", "first"],
    chains: ["prepare", "bind", "withSession"],
    facts: ofSqlite,
    pingOf: pingPrepared,
  },
  postgresql: {
    ...OTHER,
    guarded: ["query", "connect"],
    unguarded: ["end", "release"],
    chains: ["connect"],
    facts: ofPostgresql,
    pingOf: pingBy(["query", SELECT]),
  },
  redis: {
    ...OTHER,
    isEveryMethodGuarded: true,
    guarded: ["exec", "execAsPipeline", "execTyped", "execBuffer"],
    // Some wait on purpose, some end the connection, some return something else than a promise.
    unguarded: [
      ...["connect", "disconnect", "quit", "close", "destroy", "end", "duplicate", "defineCommand", "createScript"],
      ...["addBuiltinCommand", "createBuiltinCommand", "getBuiltinCommands", "isOpen", "withTypeMapping", "silentEmit"],
      ...["subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe", "monitor"],
      ...["subscribe", "pSubscribe", "sSubscribe", "unsubscribe", "pUnsubscribe", "sUnsubscribe"],
      ...["blpop", "brpop", "blmove", "blmpop", "brpoplpush", "bzpopmin", "bzpopmax", "bzmpop", "wait", "waitaof"],
      ...["scanStream", "sscanStream", "hscanStream", "zscanStream", "scanIterator", "sScanIterator", "hScanIterator"],
      ...["nodes", "sendReadyCommand", "handleReconnection", "watchers", "blPop", "brPop", "blMove", "bzPopMin"],
    ],
    chains: ["pipeline", "multi"],
    facts: ofRedis,
  },
  mongodb: {
    ...OTHER,
    guarded: ["toArray", "next", "tryNext", "hasNext", "forEach", "command"],
    unguarded: ["close", "watch", "startSession", "endSession"],
    chains: [
      ...["db", "collection", "find", "aggregate", "listCollections", "listIndexes", "listDatabases", "admin"],
      ...["sort", "limit", "skip", "project", "filter", "batchSize", "map", "hint", "maxTimeMS", "collation"],
    ],
    facts: ofMongodb,
    pingOf: pingMongodb,
  },
  prisma: {
    ...OTHER,
    areObjectsChained: true,
    guarded: [
      ...["findMany", "findUnique", "findUniqueOrThrow", "findFirst", "findFirstOrThrow", "create", "createMany"],
      ...["createManyAndReturn", "update", "updateMany", "updateManyAndReturn", "upsert", "delete", "deleteMany"],
      ...["count", "aggregate", "groupBy", "$queryRaw", "$queryRawUnsafe", "$executeRaw", "$executeRawUnsafe"],
      ...["$transaction", "findRaw", "aggregateRaw", "$runCommandRaw"],
    ],
    unguarded: ["$connect", "$disconnect"],
    chains: ["$extends"],
    facts: ofPrisma,
    pingOf: pingBy(["$queryRawUnsafe", SELECT], ["$runCommandRaw", { ping: 1 }]),
  },
};

/** What is known of a kind of client; what is known of any, if it is nothing more. */
export function profileOf(type: DatabaseType): Profile {
  return Object.hasOwn(PROFILES, type) ? (PROFILES[type] as Profile) : OTHER;
}
