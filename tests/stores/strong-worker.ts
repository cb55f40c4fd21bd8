// The strong store of Workers, as a Worker of somebody else is bound to it.
import { env } from "cloudflare:workers";
import { durableObjectStore } from "../../js/src/store/durable-object.ts";
import { serve } from "./over-http.ts";

const gone = {
  idFromName: () => 0,
  get: () => ({ fetch: () => Promise.reject(new Error("Network connection lost.")) }),
};

/** What the deployable Worker asks the object itself, as it asks it. */
const itself = {
  async answer(question: object): Promise<unknown> {
    const stub = env.SEAWALL_STORE.get(env.SEAWALL_STORE.idFromName("seawall"));
    const asked = { method: "POST", body: JSON.stringify(question) };
    return (await stub.fetch("https://seawall.invalid/", asked)).json();
  },
};

const stores = {
  "durable-object": durableObjectStore(env.SEAWALL_STORE, { timeout: 30_000 }),
  "durable-object-itself": itself,
  "durable-object-gone": durableObjectStore(gone),
  "durable-object-of-another": durableObjectStore(env.SEAWALL_STORE, { name: "another" }),
};

export default { fetch: (request: Request): Promise<Response> => serve(request, stores) };
