// Secrets that tests plant wherever one can be, and the way to look for them in what comes out.
import { randomBytes } from "node:crypto";

const key = randomBytes(32);

/** One for each place that can hold a secret, so that a leak says where it comes from. */
export const SECRETS = Object.freeze({
  urlUser: "canaryUrlUser01",
  urlPassword: "canaryUrlPassword02",
  urlToken: "canaryUrlToken03",
  authToken: "canaryAuthToken04",
  rotatedToken: "canaryRotatedToken05",
  replicaToken: "canaryReplicaToken06",
  replicaPassword: "canaryReplicaPassword07",
  encryptionKey: "canaryEncryptionKey08",
  webhook: "canaryWebhookPath09",
  routingKey: "canaryRoutingKey10",
  sinkAuthorization: "canarySinkAuthorization11",
  signing: `whsec_${Buffer.from("canarySigningSecret12xxxxxxxx").toString("base64")}`,
  adminToken: "canaryAdminToken13-0123456789-0123456789",
  otlpHeader: "canaryOtlpHeader14",
  otlpPassword: "canaryOtlpPassword15",
  upstashToken: "canaryUpstashToken16",
  upstashPassword: "canaryUpstashPassword17",
  literal: "canaryLiteral18",
  argument: "canaryArgument19",
  batchArgument: "canaryBatchArgument20",
  connection: "canaryConnection21",
  cryptoKey: key.toString("base64"),
  cryptoKeyHex: key.toString("hex"),
  olderCryptoKeyHex: randomBytes(32).toString("hex"),
  tenantToken: "canaryTenantToken22",
  fetchError: "canaryFetchError23",
  databaseUrl: "canaryDatabaseUrl24",
  redisUrl: "canaryRedisUrl25",
  mongoUrl: "canaryMongoUrl26",
  /** A token that nobody gave out. */
  stranger: "canaryStranger27-0123456789-0123456789",
  cookie: "canaryCookie28",
  /** What a database says. */
  server: "canaryServer29",
});

/**
 * The secrets that are in a text, by name: as they are, in another case, percent-encoded or in base64.
 *
 * @param {string} text
 * @returns {string[]}
 */
export function found(text) {
  const low = text.toLowerCase();
  const isIn = (/** @type {string} */ secret) => {
    // Of three ways to be cut by base64, the middle of each is the same wherever it stands.
    const encoded = [0, 1, 2].map((pad) => btoa("x".repeat(pad) + secret).slice(4, -4));
    return [secret, encodeURIComponent(secret), ...encoded].some((form) => low.includes(form.toLowerCase()));
  };
  return Object.entries(SECRETS).flatMap(([name, secret]) => (isIn(secret) ? [name] : []));
}
