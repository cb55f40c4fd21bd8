// Whether a signature is right, and the keys by which that is found out: the twin of src/worker/trust.rs.

import { bodyOf } from "./body.ts";
import type { Answer, Question } from "./exchange.ts";

/** Most of a list of keys, in bytes. */
const KEYS_MAX = 65_536;

type Keys = Extract<Question, { ask: "keys" }>;
type Verify = Extract<Question, { ask: "verify" }>;

/** The scheme of RS256, as WebCrypto names it. */
const SCHEME = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };

/** Loads the text at an address. Redirects are not followed, and of a long text nothing is kept. Never rejects. */
export async function keysAt({ url, timeoutMs }: Keys): Promise<Answer> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), timeoutMs);
  try {
    const response = await fetch(url, { redirect: "manual", signal: controller.signal });
    if (response.status !== 200) {
      response.body?.cancel().catch(() => {});
      return { text: null };
    }
    const { body, bodyProblem } = await bodyOf(response, KEYS_MAX);
    return { text: bodyProblem === undefined ? body : null };
  } catch {
    return {
      failed: controller.signal.aborted ? `It did not answer within ${timeoutMs} ms.` : "It could not be reached.",
    };
  } finally {
    clearTimeout(timer);
  }
}

/** Whether a signature is right: RS256. False also when the platform cannot tell. */
export async function verified({ modulus, exponent, signed, signature }: Verify): Promise<Answer> {
  try {
    const jwk = { kty: "RSA", n: modulus, e: exponent, alg: "RS256" };
    const key = await crypto.subtle.importKey("jwk", jwk, SCHEME, false, ["verify"]);
    const isRight = await crypto.subtle.verify(SCHEME, key, bytesOf(signature), new TextEncoder().encode(signed));
    return { verified: isRight };
  } catch {
    return { verified: false };
  }
}

function bytesOf(base64url: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
