// An isolate under load: one client at module scope. The test says by an alias whose client it is.
import "./isolate-watch.ts";
import { env } from "cloudflare:workers";
import * as client from "client-under-test";
import { counted, kvCounts, watched } from "./isolate-watch.ts";

/** What only one of the clients has. */
interface Ours {
  workersKvStore?(namespace: object): unknown;
}
interface Controls {
  seawall?: { status(): object; drain(deadlineMs: number): Promise<void> };
}
interface Statement {
  sql: string;
  args?: string[];
}

const store = (client as Ours).workersKvStore?.(counted(env.HINTS, env.KV_STALE_MS));
const seawall = { ...env.OPTIONS, state: { ...env.OPTIONS.state, store } };
const config = { url: env.DATABASE_URL, seawall };
const db = client.createClient(config);
const controls = (db as Controls).seawall;

/** A read of this many rows. */
const ROWS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i, hex(i) FROM n";

function insert(id: string): Statement {
  return { sql: "INSERT INTO writes (id) VALUES (?)", args: [id] };
}

/** The statement under a signal that aborts after a while. */
function abortable(statement: Statement, afterMs: number): Statement {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), afterMs);
  return Object.assign(statement, { seawall: { signal: controller.signal } });
}

/** Writes in a transaction, and after a pause ends it as told; `leave` ends it not at all. */
async function transact(id: string, end: string, pauseMs: number): Promise<void> {
  const transaction = await db.transaction("write");
  try {
    await transaction.execute(insert(id));
    await transaction.execute("SELECT 1");
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    if (end === "leave") return;
    if (end === "rollback") await transaction.rollback();
    else await transaction.commit();
  } finally {
    if (end !== "leave") transaction.close();
  }
}

/** Does what the path says. */
async function run(path: string, query: URLSearchParams): Promise<unknown> {
  const id = query.get("id") ?? "";
  const pauseMs = Number(query.get("pauseMs"));
  switch (path) {
    case "/read":
      return db.execute("SELECT 1 AS one");
    case "/rows":
      return db.execute(ROWS);
    case "/write":
      return db.execute(insert(id));
    case "/batch":
      return db.batch([insert(id), "SELECT 1", "SELECT 2"], "write");
    case "/transaction":
      return transact(id, query.get("end") ?? "commit", pauseMs);
    case "/mistake":
      return db.execute("SELECT * FROM no_such_table");
    case "/abort":
      return db.execute(abortable(insert(id), pauseMs));
    default:
      throw new Error(`unknown: ${path}`);
  }
}

export default {
  async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/state") return Response.json({ ...controls?.status(), store: kvCounts, watched: watched() });
    if (pathname === "/drain") {
      const began = Date.now();
      await controls?.drain(Number(searchParams.get("limitMs")));
      return Response.json({ ms: Date.now() - began });
    }
    try {
      await run(pathname, searchParams);
      return Response.json({ ok: true });
    } catch (error) {
      const { code, outcome } = error as { code?: string; outcome?: string };
      const isTyped = error instanceof client.LibsqlError && typeof code === "string";
      return Response.json({ ok: false, isTyped, code, outcome, message: String(error) });
    }
  },
};
