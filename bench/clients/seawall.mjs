import { createClient } from "seawall";
import { openWith } from "./libsql-shaped.mjs";

/**
 * Every layer in the path of a call: a tier with its bounds, a rate, two databases to choose from, and a cache that has room
 * for nothing, so that each read pays for it and none is spared.
 *
 * @param {string} url
 */
const layers = (url) => ({
  tier: /** @type {const} */ ("PRO"),
  rateLimit: { rate: 1_000_000, burst: 1_000_000 },
  replicas: [{ name: "second", url }],
  queryCache: { enabled: true, maxSize: 0 },
});

/** @param {string} url */
export const open = (url) =>
  openWith(
    (config) => createClient(globalThis.process?.env?.LAYERS ? { ...config, seawall: layers(url) } : config),
    url,
  );
