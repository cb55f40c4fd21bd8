// The control of the soak: asks the database as often as a client would, by nothing but fetch.
import "./isolate-watch.ts";
import { env } from "cloudflare:workers";
import { watched } from "./isolate-watch.ts";

const DEADLINE_MS = 1_000;
const body = JSON.stringify({ requests: [{ type: "execute", stmt: { sql: "SELECT 1" } }, { type: "close" }] });

async function ask(): Promise<void> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const response = await fetch(`${env.DATABASE_URL}/v3/pipeline`, { method: "POST", body, signal });
  await response.text();
}

export default {
  async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/state") return Response.json({ store: { gets: 0, puts: 0 }, watched: watched() });
    try {
      // As many requests as a transaction of two statements takes.
      for (let left = pathname === "/transaction" ? 3 : 1; left > 0; left -= 1) await ask();
      return Response.json({ ok: true });
    } catch (error) {
      return Response.json({ ok: false, message: String(error) });
    }
  },
};
