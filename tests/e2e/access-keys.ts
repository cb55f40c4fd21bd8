// What Cloudflare Access would be: keys, the document in which they are, and assertions that they sign.

import type { Outside } from "../support/outside.mjs";
import { AUDIENCE, CERTS, TEAM } from "./auth-sites.ts";

const SCHEME = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };

export interface Pair {
  readonly id: string;
  readonly jwk: Record<string, unknown>;
  readonly key: CryptoKey;
}

export async function keyPair(id: string): Promise<Pair> {
  const parameters = { ...SCHEME, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
  const { privateKey, publicKey } = await crypto.subtle.generateKey(parameters, true, ["sign", "verify"]);
  const { n, e } = await crypto.subtle.exportKey("jwk", publicKey);
  return { id, jwk: { kid: id, kty: "RSA", alg: "RS256", use: "sig", n, e }, key: privateKey };
}

/** Has the keys published; whatever else is asked for finds nothing. */
export function publish(outside: Outside, pairs: readonly Pair[]): void {
  outside.receiver = (response, { url }) => {
    if (url !== CERTS) return void response.writeHead(404).end();
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ keys: pairs.map(({ jwk }) => jwk), public_certs: [] }));
  };
}

export const part = (value: string | Uint8Array) => Buffer.from(value).toString("base64url");

/** Claims that are right, with `changes`; those that are undefined are left out. */
export function claimsOf(email: string, changes: Record<string, unknown> = {}): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1_000);
  const issuer = `https://${TEAM}.cloudflareaccess.com`;
  return { aud: [AUDIENCE], iss: issuer, email, exp: now + 600, iat: now - 5, nbf: now - 5, type: "app", ...changes };
}

/** Signs a header and claims, each as text. */
export async function signed(pair: Pair, claims: string, header?: string): Promise<string> {
  const head = header ?? JSON.stringify({ alg: "RS256", kid: pair.id, typ: "JWT" });
  const text = `${part(head)}.${part(claims)}`;
  const signature = await crypto.subtle.sign(SCHEME, pair.key, new TextEncoder().encode(text));
  return `${text}.${part(new Uint8Array(signature))}`;
}
