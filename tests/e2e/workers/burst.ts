// One client at module scope, as its users keep it. The test says by an alias whose client it is.
import { env } from "cloudflare:workers";
import { createClient, LibsqlError } from "client-under-test";

const db = createClient({ url: env.DATABASE_URL, ...env.OPTIONS });

/** Runs one query; `?abortMs=` aborts it from within after that time, where the client can. */
async function query(url: URL): Promise<unknown> {
  const abortMs = Number(url.searchParams.get("abortMs"));
  if (abortMs === 0) return (await db.execute("SELECT 1 AS one")).rows[0]?.one;
  const controller = new AbortController();
  setTimeout(() => controller.abort(), abortMs);
  const statement = { sql: "SELECT 1 AS one", seawall: { signal: controller.signal } };
  return (await db.execute(statement)).rows[0]?.one;
}

export default {
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const began = Date.now();
    if (url.pathname === "/state") {
      return Response.json((db as unknown as { seawall: { status(): unknown } }).seawall.status());
    }
    try {
      return Response.json({ value: await query(url), ms: Date.now() - began });
    } catch (error) {
      const { code } = error as { code?: string };
      const isTyped = error instanceof LibsqlError && typeof code === "string";
      return Response.json({ isTyped, code, message: String(error), ms: Date.now() - began });
    }
  },
};
