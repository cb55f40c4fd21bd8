// The entry for Cloudflare Workers: a look behind a request is kept alive by what only they can import.
import "../platform/workerd.ts";

export * from "./index.ts";
