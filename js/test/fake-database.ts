// A database with one value for each key, whose requests are counted, and a clock set by hand: for tests of the cache.
import type { ResultSet } from "../src/api.ts";
import { createClient, type SeawallClient } from "../src/client.ts";
import type { SeawallOptions } from "../src/config/options.ts";
import { platform } from "../src/platform/platform.ts";

interface Statement {
  sql: string;
  args?: { value?: unknown; base64?: string }[];
}

interface Asked {
  type: string;
  stmt?: Statement;
  batch?: { steps: { stmt: Statement }[] };
}

/** How the next requests are answered; a promise holds them up. */
export type Mode = { kind: "up" } | { kind: "down" } | { kind: "refuses" } | { kind: "held"; until: Promise<void> };

export class FakeDatabase {
  /** Statements that arrived, by their text. */
  readonly asked: string[] = [];
  mode: Mode = { kind: "up" };
  /** What each read answers. */
  version = 1;

  readonly fetch = async (request: Request): Promise<Response> => {
    const body = (await request.json()) as {
      requests: Asked[];
    };
    const statements = body.requests.flatMap(({ stmt, batch }) => [
      ...(stmt === undefined ? [] : [stmt]),
      ...(batch?.steps.map((step) => step.stmt) ?? []),
    ]);
    this.asked.push(...statements.map(({ sql }) => sql));
    const { mode, version } = this;
    if (mode.kind === "held") await mode.until;
    if (mode.kind === "down") throw new TypeError("fetch failed");
    const writes = statements.some(({ sql }) => /^(insert|update|delete)/i.test(sql));
    if (writes) this.version += 1;
    const results = body.requests.map((one) => {
      const { type } = one;
      if (mode.kind === "refuses" && type === "execute") {
        return { type: "error", error: { message: "no such table: t", code: "SQLITE_ERROR" } };
      }
      if (type === "execute")
        return { type: "ok", response: { type, result: resultOf(one.stmt as Statement, version) } };
      if (type === "batch") {
        const steps = one.batch?.steps ?? [];
        const result = {
          step_results: steps.map(({ stmt }) => resultOf(stmt, version)),
          step_errors: steps.map(() => null),
        };
        return { type: "ok", response: { type, result } };
      }
      return { type: "ok", response: { type } };
    });
    return Response.json({
      baton: body.requests.some(({ type }) => type === "close") ? null : "b",
      base_url: null,
      results,
    });
  };

  /** Reads that arrived. */
  get reads(): number {
    return this.asked.filter((sql) => /^(select|with|values)/i.test(sql)).length;
  }
}

function resultOf(stmt: Statement, version: number) {
  const args = JSON.stringify(stmt.args ?? null);
  const row = [
    { type: "integer", value: `${version}` },
    { type: "text", value: args },
    { type: "blob", base64: "AQID" },
  ];
  const cols = [{ name: "version" }, { name: "args" }, { name: "bytes" }].map((col) => ({ ...col, decltype: null }));
  return { cols, rows: [row], affected_row_count: 0, last_insert_rowid: null };
}

let nowMs: number | undefined;
const realNow = platform.now;

/** Sets the clock of all clients by hand, to a point of its own; {@link letGo} gives it back. */
export function hold(atMs = 1_800_000_000_000): (ms: number) => void {
  nowMs = atMs;
  (platform as { now: () => number }).now = () => nowMs ?? realNow();
  return (ms) => {
    nowMs = (nowMs ?? 0) + ms;
  };
}

export function letGo(): void {
  (platform as { now: () => number }).now = realNow;
  nowMs = undefined;
}

export function openClient(
  database: FakeDatabase,
  queryCache: SeawallOptions["queryCache"],
  more: SeawallOptions = {},
): SeawallClient {
  return createClient({
    url: "https://db.example.com",
    fetch: database.fetch,
    seawall: { retry: { attempts: 1 }, ...more, ...(queryCache === undefined ? {} : { queryCache }) },
  });
}

/** The version that a result shows. */
export function versionOf(result: ResultSet): unknown {
  return result.rows[0]?.version;
}
