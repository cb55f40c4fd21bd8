// Stores of Workers, in workerd: real KV, real caches.
import { env } from "cloudflare:workers";
import { cacheApiStore } from "../../js/src/store/cache-api.ts";
import type { Store } from "../../js/src/store/store.ts";
import { workersKvStore } from "../../js/src/store/workers-kv.ts";
import { serve } from "./over-http.ts";

const gone = () => Promise.reject(new Error("KV GET failed: 500 Internal Server Error"));

const stores: Record<string, Store> = {
  "workers-kv": workersKvStore(env.HINTS),
  "workers-kv-gone": workersKvStore({ get: gone, put: gone, list: gone }),
  "cache-api": cacheApiStore(),
  "cache-api-named": cacheApiStore({ name: "hints", origin: "https://example.com/path?query" }),
  "cache-api-gone": cacheApiStore({ cache: { match: gone, put: gone } }),
};

export default { fetch: (request: Request): Promise<Response> => serve(request, stores) };
