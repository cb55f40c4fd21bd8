// Flags that are there from the first request on, as a snapshot in the bundle; what operators order follows by way of Workers KV.
import { env } from "cloudflare:workers";
import { createFlags } from "seawall/flags";
import { workersKvStore } from "seawall/stores/workers-kv";
import type { AppFlags } from "./app-flags";
import snapshot from "./flags.snapshot";

declare global {
  namespace Cloudflare {
    interface Env {
      SEAWALL_KV: KVNamespace;
      REFRESH_MS: string;
    }
  }
}

// Once for the isolate, outside of requests. Nobody waits for KV: what a look finds is for the next request.
const flags = createFlags<AppFlags>({
  definitions: new Uint8Array(snapshot),
  store: workersKvStore(env.SEAWALL_KV),
  intervalMs: Number(env.REFRESH_MS),
  env: { ...env },
});

const COOKIE = /(?:^|;\s*)visitor=([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:;|$)/;

export default {
  fetch(request): Response {
    // The same browser is the same visitor, and has the same variants.
    const known = COOKIE.exec(request.headers.get("cookie") ?? "")?.[1];
    const visitor = known ?? crypto.randomUUID();

    // Once for each request; every question after that costs some nanoseconds.
    const { country } = request.cf ?? {};
    const user = flags.for({ targetingKey: visitor, tenant: request.headers.get("x-tenant") ?? undefined, country });

    const response = Response.json({
      visitor,
      checkout: user.boolean("new-checkout") ? "new" : "old",
      headline: user.string("headline", "Parcels"),
      invoices: user.boolean("invoices"),
    });
    if (known === undefined) {
      response.headers.set(
        "set-cookie",
        `visitor=${visitor}; Path=/; Max-Age=31536000; HttpOnly; Secure; SameSite=Lax`,
      );
    }
    return response;
  },
} satisfies ExportedHandler;
