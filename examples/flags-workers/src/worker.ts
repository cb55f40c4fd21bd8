// Flags that are there from the first request on: a snapshot in the bundle, and variables of the deployment.
import { env } from "cloudflare:workers";
import { createFlags } from "seawall/flags/snapshot";
import type { AppFlags } from "./app-flags";
import snapshot from "./flags.snapshot";

// Once for the isolate, outside of requests.
const flags = createFlags<AppFlags>({ definitions: new Uint8Array(snapshot), env: { ...env } });

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
