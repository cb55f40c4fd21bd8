// Flags of the isolate: bundled, so that the first request has them, and followed in Workers KV.

import { getCookie, setCookie } from "hono/cookie";
import { createMiddleware } from "hono/factory";
import { createFlags, type TypedFlagContext } from "seawall/flags";
import definitions from "../flags.json";
import type { AppFlags } from "./app-flags";

export interface FlagsEnv {
  Bindings: { FLAGS: KVNamespace; REFRESH_MS: string };
  Variables: { user: TypedFlagContext<AppFlags>; visitor: string };
}

const flags = createFlags<AppFlags>({ definitions, env: {} });
/** What is held, and when it was looked for last. */
let held = JSON.stringify(definitions);
let lookedAtMs = 0;

/** Looks into KV, at most once in `REFRESH_MS`. Definitions with a fault are refused, and those before hold on. */
async function refresh({ FLAGS, REFRESH_MS }: FlagsEnv["Bindings"]): Promise<void> {
  if (Date.now() - lookedAtMs < Number(REFRESH_MS)) return;
  lookedAtMs = Date.now();
  const text = await FLAGS.get("flags");
  if (text === null) return;
  try {
    if (text === held) flags.confirm();
    else flags.update(text);
    held = text;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
  }
}

/** `c.var.user` are the flags of who sends the request: a visitor by cookie, of a tenant by header. */
export const userFlags = createMiddleware<FlagsEnv>(async (c, next) => {
  // Nobody waits for it: what it finds is for the next request.
  c.executionCtx.waitUntil(refresh(c.env));
  const known = getCookie(c, "visitor");
  const visitor = known !== undefined && /^[\da-f-]{36}$/.test(known) ? known : crypto.randomUUID();
  if (visitor !== known) {
    setCookie(c, "visitor", visitor, { httpOnly: true, secure: true, sameSite: "Lax", maxAge: 31_536_000 });
  }
  c.set("visitor", visitor);
  c.set("user", flags.for({ targetingKey: visitor, tenant: c.req.header("x-tenant") }));
  await next();
});
