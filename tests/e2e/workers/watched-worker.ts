// The deployable Worker as it was built, with its KV calls counted, its isolate watched, and its clock set on demand.
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

const now = Date.now;

export default {
  fetch(request: Request, env: Env, context: unknown): Response | Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/clock") {
      const aheadMs = Number(searchParams.get("aheadMs"));
      Date.now = () => now() + aheadMs;
      return new Response();
    }
    if (pathname !== "/state") return worker.fetch(request, seen(env), context);
    return Response.json({ store: kvCounts, watched: watched() });
  },
  scheduled: (event: unknown, env: Env, context: unknown) => worker.scheduled(event, seen(env), context),
};
