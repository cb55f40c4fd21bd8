// An isolate that shares what it learns, through KV or through a store that is out of order.
import { env } from "cloudflare:workers";
import { createClient, LibsqlError, type Store, workersKvStore } from "seawall";
import { cacheApiStore } from "seawall/stores/cache-api";

const counts = { gets: 0, puts: 0 };

const kv = workersKvStore(env.HINTS);

/** What `env.STORE` makes of KV: nothing, an exception, silence, a text that was never written, or an old one. */
function get(key: string): Promise<string | null> {
  counts.gets += 1;
  switch (env.STORE.kind) {
    case "throws":
      throw new Error("KV GET failed: 500 Internal Server Error");
    case "hangs":
      return new Promise(() => {});
    case "holds":
      return Promise.resolve(env.STORE.text);
    case "frozen":
      return env.HINTS.get("frozen", "text");
    default:
      return kv.get(key);
  }
}

function put(key: string, text: string, ttlSeconds: number): Promise<void> {
  counts.puts += 1;
  switch (env.STORE.kind) {
    case "throws":
      throw new Error("KV PUT failed: 429 Too Many Requests");
    case "hangs":
      return new Promise(() => {});
    default:
      return kv.put(key, text, ttlSeconds);
  }
}

const store: Store = { name: "under test", caps: kv.caps, get, put };
/** Where the isolate is, as its first request tells. */
let colo: string | undefined;
const db = createClient({
  url: env.DATABASE_URL,
  seawall: {
    ...env.OPTIONS,
    state: { ...env.OPTIONS.state, store, ...(env.NEAR && { near: cacheApiStore() }), colo: () => colo },
  },
});

export default {
  async fetch(request: Request & { cf?: { colo?: string } }): Promise<Response> {
    colo = request.cf?.colo;
    if (new URL(request.url).pathname === "/state") return Response.json({ ...db.seawall.status(), store: counts });
    const began = Date.now();
    try {
      const value = (await db.execute("SELECT 1 AS one")).rows[0]?.one;
      return Response.json({ value, ms: Date.now() - began });
    } catch (error) {
      if (!(error instanceof LibsqlError)) throw error;
      return Response.json({ code: error.code, ms: Date.now() - began });
    }
  },
};
