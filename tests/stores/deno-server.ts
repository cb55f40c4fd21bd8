// Deno's own KV behind HTTP. Run by Deno: it prints the port that it listens on.
import { type DenoKv, denoKvStore } from "../../js/src/store/deno-kv.ts";
import { serve } from "./over-http.ts";

declare const Deno: {
  openKv(path: string): Promise<DenoKv & { close(): void }>;
  serve(
    options: { port: number; hostname: string; onListen(address: { port: number }): void },
    handler: (request: Request) => Promise<Response>,
  ): unknown;
};

const kv = await Deno.openKv(":memory:");
const closed = await Deno.openKv(":memory:");
closed.close();
const stores = {
  "deno-kv": denoKvStore(kv),
  "deno-kv-eventual": denoKvStore(kv, { consistency: "eventual" }),
  "deno-kv-gone": denoKvStore(closed),
};

Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: ({ port }) => console.log(port) }, (request) =>
  serve(request, stores),
);
