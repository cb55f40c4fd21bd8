// A preflight of the admin routes: it carries no token, and learns nothing.
import type { RouteCase } from "./cases.ts";

const PATHS = ["/admin/api/orders/kill", "/admin/api/logs", "/admin/api/nope", "/admin/api", "/admin/api/"];

export const PREFLIGHT: RouteCase[] = PATHS.map((path) => ({
  title: `H016: OPTIONS of ${path} is what it is of every admin path, without a token and for any origin`,
  method: "OPTIONS",
  path,
  headers: { origin: "https://evil.example", "access-control-request-method": "PUT" },
  status: 204,
  answers: {
    allow: /^GET, HEAD, PUT, POST, DELETE, OPTIONS$/,
    "access-control-allow-origin": null,
    "access-control-allow-methods": null,
    "www-authenticate": null,
  },
  shape: /^$/,
}));
