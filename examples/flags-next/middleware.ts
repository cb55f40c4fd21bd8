// Who sees what is decided here, before a page is chosen, so pages stay static and cacheable.
import { type NextFetchEvent, type NextRequest, NextResponse } from "next/server";
import { createFlags } from "seawall/flags";
import { strongUpstashStore } from "seawall/stores/upstash";
import type { AppFlags } from "./app-flags";
import definitions from "./flags.json";

// Where operators' orders are. Without it, flags are what was bundled.
const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token, REFRESH_MS = "2000" } = process.env;
const flags = createFlags<AppFlags>({
  definitions,
  ...(url && token && { store: strongUpstashStore({ url, token }), intervalMs: Number(REFRESH_MS) }),
});

const COOKIE = "visitor";
const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function middleware(request: NextRequest, event: NextFetchEvent): NextResponse {
  const known = request.cookies.get(COOKIE)?.value ?? "";
  const visitor = ID.test(known) ? known : crypto.randomUUID();

  // Nobody waits for the store: `event` keeps a look alive, and what it finds is for the next request.
  const user = flags.for({ targetingKey: visitor }, event);
  const variant = user.stringDetails("headline").variant ?? "off";
  const page = user.boolean("new-checkout") ? "new" : "old";

  const response = NextResponse.rewrite(new URL(`/${page}/${variant}`, request.url));
  if (visitor !== known) response.cookies.set(COOKIE, visitor, { httpOnly: true, sameSite: "lax", maxAge: 31_536_000 });
  return response;
}

export const config = { matcher: "/" };
