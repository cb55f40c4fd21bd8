// A secret as it may be stored: AES-256-GCM, and the name of its key.
//
// `sw1.<key>.<nonce>.<ciphertext>`: the name of the key, 12 random bytes, the ciphertext with its tag of 16 bytes, the
// last two in base64url without padding. What the envelope belongs to is authenticated with it, so that it can be opened
// nowhere else: an envelope that was copied into another row or field is none.
//
// A nonce is random, so one key may seal 2^32 times; `rotateKeys` is due long before.

import { makeError, type ResilienceError } from "../errors.ts";
import { base64OfBytes, bytesOfBase64 } from "../hrana/base64.ts";
import type { CryptoKeys } from "./crypto-keys.ts";

const VERSION = "sw1";
const NONCE_BYTES = 12;
const ENVELOPE = /^sw1\.([0-9a-f]{12})\.([\w-]{16})\.([\w-]{22,})$/;
const CODE = "SECRET_UNREADABLE";

/** What a secret belongs to: table, row, field. */
export type Belonging = readonly [table: string, row: string, field: string];

/** `text` sealed under the newest key. */
export async function seal(keys: CryptoKeys, text: string, belonging: Belonging): Promise<string> {
  const { id, key } = await keys.newest();
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const algorithm = { name: "AES-GCM", iv: nonce, additionalData: authenticated(id, belonging) };
  const sealed = await crypto.subtle.encrypt(algorithm, key, new TextEncoder().encode(text));
  return [VERSION, id, base64url(nonce), base64url(new Uint8Array(sealed))].join(".");
}

/**
 * What is in an envelope.
 *
 * @throws {@link ResilienceError} `SECRET_UNREADABLE` when its key is not among these, or it is not as it was sealed.
 */
export async function open(keys: CryptoKeys, envelope: string, belonging: Belonging): Promise<string> {
  const [table, row, field] = belonging;
  const where = `${field} of ${table} ${JSON.stringify(row)}`;
  const [, id, nonce, sealed] = ENVELOPE.exec(envelope) ?? [];
  if (id === undefined || nonce === undefined || sealed === undefined) {
    throw unreadable(`The ${where} is no envelope: it is none of ours, or damaged.`);
  }
  const key = await keys.find(id);
  if (key === undefined) {
    const names = (await keys.ids()).join(", ");
    throw unreadable(`The ${where} was sealed with the key ${id}, and the keys given are ${names}.`);
  }
  const bytes = bytesOf(sealed);
  const iv = bytesOf(nonce);
  // Other spellings of the same bytes are refused, so that an envelope has one text.
  if (bytes !== undefined && iv !== undefined) {
    const algorithm = { name: "AES-GCM", iv, additionalData: authenticated(id, belonging) };
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(await crypto.subtle.decrypt(algorithm, key, bytes));
    } catch {
      // What the platform says of it tells nothing, on purpose.
    }
  }
  throw unreadable(`The ${where} was changed since it was sealed, or moved there from elsewhere.`);
}

/** What all envelopes begin with that a key of this name sealed. */
export function beginningOf(id: string): string {
  return `${VERSION}.${id}.`;
}

/** Version, key and place: no list of texts is another one in JSON. */
function authenticated(id: string, belonging: Belonging): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify([VERSION, id, ...belonging]));
}

function unreadable(message: string): ResilienceError {
  const remedy = "Give every key that is still in use, the newest first, or store the secret anew.";
  return makeError(CODE, `${message} ${remedy}`, { origin: "caller", retry: "never", outcome: "not_executed" });
}

function base64url(bytes: Uint8Array): string {
  return base64OfBytes(bytes).replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_");
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    const bytes = new Uint8Array(bytesOfBase64(padded(text.replaceAll("-", "+").replaceAll("_", "/"))));
    return base64url(bytes) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}

function padded(text: string): string {
  return text.padEnd(Math.ceil(text.length / 4) * 4, "=");
}
