// Who sees what is decided here, before a page is chosen, so pages stay static and cacheable.
import { type NextRequest, NextResponse } from "next/server";
import { createFlags } from "seawall/flags";
import type { AppFlags } from "./app-flags";
import definitions from "./flags.json";

const flags = createFlags<AppFlags>({ definitions });

const COOKIE = "visitor";
const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function middleware(request: NextRequest): NextResponse {
  const known = request.cookies.get(COOKIE)?.value ?? "";
  const visitor = ID.test(known) ? known : crypto.randomUUID();

  const user = flags.for({ targetingKey: visitor });
  const variant = user.stringDetails("headline").variant ?? "off";
  const page = user.boolean("new-checkout") ? "new" : "old";

  const response = NextResponse.rewrite(new URL(`/${page}/${variant}`, request.url));
  if (visitor !== known) response.cookies.set(COOKIE, visitor, { httpOnly: true, sameSite: "lax", maxAge: 31_536_000 });
  return response;
}

export const config = { matcher: "/" };
