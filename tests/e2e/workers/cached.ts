// One client with a query cache, kept by its isolate as its users keep it.
import { createClient, type SeawallClient } from "seawall";

interface Env {
  DATABASE_URL: string;
  OPTIONS: Record<string, unknown>;
}

let db: SeawallClient | undefined;

export default {
  /** Reads one key, `?id=`. */
  async fetch(request: Request, env: Env): Promise<Response> {
    db ??= createClient({ url: env.DATABASE_URL, ...env.OPTIONS });
    const url = new URL(request.url);
    if (url.pathname === "/stats") return Response.json(db.seawall.cache.stats());
    try {
      const result = await db.execute("SELECT ? AS value", [url.searchParams.get("id") ?? ""]);
      return Response.json({ value: result.rows[0]?.value, stale: result.seawall?.stale });
    } catch (error) {
      return Response.json({ code: (error as { code?: string }).code, message: String(error) });
    }
  },
};
