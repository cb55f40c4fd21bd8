// Chooses the way to reach a database.
import type { FetchFunction } from "../config.ts";
import { FetchTransport } from "./fetch.ts";
import { builtinModules, NodeHttpTransport } from "./node-http.ts";
import type { Compression, Transport } from "./transport.ts";

/** Node's own HTTP client where there is one, `fetch` elsewhere; the user's `fetch` wins over both. */
export function openTransport(userFetch: FetchFunction | undefined, compression: Compression | undefined): Transport {
  if (userFetch !== undefined) return new FetchTransport(userFetch, compression);
  const builtins = builtinModules();
  return builtins
    ? new NodeHttpTransport(builtins, compression ?? "identity")
    : new FetchTransport(undefined, compression);
}
