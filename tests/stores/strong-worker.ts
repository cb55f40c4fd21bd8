// The strong store of Workers, as a Worker of somebody else is bound to it.
import { env } from "cloudflare:workers";
import { durableObjectStore } from "../../js/src/store/durable-object.ts";
import { serve } from "./over-http.ts";

const gone = {
  idFromName: () => 0,
  get: () => ({ fetch: () => Promise.reject(new Error("Network connection lost.")) }),
};

const stores = {
  "durable-object": durableObjectStore(env.SEAWALL_STORE, { timeout: 30_000 }),
  "durable-object-gone": durableObjectStore(gone),
  "durable-object-of-another": durableObjectStore(env.SEAWALL_STORE, { name: "another" }),
};

export default { fetch: (request: Request): Promise<Response> => serve(request, stores) };
