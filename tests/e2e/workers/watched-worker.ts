// The deployable Worker as it was built, with its KV calls counted and its isolate watched.
import "./isolate-watch.ts";
import worker from "worker-under-test";
import { counted, kvCounts, watched } from "./isolate-watch.ts";

interface Env {
  SEAWALL_KV?: object;
  KV_STALE_MS?: number;
}

function seen(env: Env): Env {
  return env.SEAWALL_KV ? { ...env, SEAWALL_KV: counted(env.SEAWALL_KV, env.KV_STALE_MS) } : env;
}

export default {
  fetch(request: Request, env: Env, context: unknown): Response | Promise<Response> {
    if (new URL(request.url).pathname !== "/state") return worker.fetch(request, seen(env), context);
    return Response.json({ store: kvCounts, watched: watched() });
  },
  scheduled: (event: unknown, env: Env, context: unknown) => worker.scheduled(event, seen(env), context),
};
