// A Worker that has flags and no monitor: what it knows of them, for whoever asks.
import { env } from "cloudflare:workers";
import { createFlags } from "seawall/flags";
import { durableObjectStore } from "seawall/stores/durable-object";
import { workersKvStore } from "seawall/stores/workers-kv";

/** @type {any} */
const bindings = env;
const flags = createFlags(
  bindings.READS === "kv"
    ? { store: workersKvStore(bindings.SEAWALL_KV), intervalMs: 1_000 }
    : { store: durableObjectStore(bindings.SEAWALL_STORE) },
);

export default {
  async fetch() {
    flags.for({});
    return Response.json({
      orders: { kill: { version: flags.following?.versions.kill ?? 0 } },
      promise: `${flags.propagation}`,
    });
  },
};
