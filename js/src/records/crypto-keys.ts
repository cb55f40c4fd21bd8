// Keys for connection strings: where they come from, and what each is called.

import { base64OfBytes, bytesOfBase64 } from "../hrana/base64.ts";
import { platform } from "../platform/platform.ts";
import { kindOf } from "../store/checks.ts";

/** Where {@link cryptoKeys} looks: the `env` of a Worker, or what else holds variables. */
export type KeyVariables = Readonly<Record<string, unknown>>;

/** Bytes of a key of AES-256. */
const KEY_BYTES = 32;
/** Keys at once, at most. */
const KEYS_MAX = 8;
const NAME = "SEAWALL_CRYPTO_KEY";
/** The name of an older system. */
const ALIAS = "PG_META_CRYPTO_KEY";
const WANTED = `${KEY_BYTES} random bytes as base64 (44 characters) or hex (64): openssl rand -base64 ${KEY_BYTES}`;
/** Bytes of the digest that names a key. */
const ID_BYTES = 6;
const DOMAIN = "seawall crypto key ";

interface Imported {
  readonly id: string;
  readonly key: CryptoKey;
}

/**
 * Keys of AES-256-GCM, the newest first: that one seals, all of them open. Nothing that is printed of it holds a key.
 */
export class CryptoKeys {
  readonly #texts: readonly string[];
  readonly #bytes: readonly Uint8Array<ArrayBuffer>[];
  /** What has been imported. Never a promise: that would belong to the request that began it. */
  #imported: readonly Imported[] | undefined;

  /**
   * @throws TypeError that names which key cannot be used, and never shows it. A pass phrase is no key: nothing here
   * makes one of it.
   */
  constructor(texts: readonly string[], name = "keys") {
    if (!Array.isArray(texts) || texts.length === 0 || texts.length > KEYS_MAX) {
      throw new TypeError(`${name} must be 1 to ${KEYS_MAX} keys, the newest first; each is ${WANTED}`);
    }
    this.#bytes = texts.map((text, index) => keyOf(text, texts.length === 1 ? name : `${name}, key ${index + 1},`));
    this.#texts = texts.map((text) => text.trim());
    const distinct = new Set(this.#bytes.map((bytes) => base64OfBytes(bytes)));
    if (distinct.size < texts.length) throw new TypeError(`${name} has the same key twice`);
  }

  /** The names of the keys, the newest first. A name is a digest, and says nothing of its key. */
  async ids(): Promise<string[]> {
    return (await this.#all()).map(({ id }) => id);
  }

  /** @internal The key that seals. */
  async newest(): Promise<Imported> {
    return (await this.#all())[0] as Imported;
  }

  /** @internal The key of this name, if it is among them. */
  async find(id: string): Promise<CryptoKey | undefined> {
    return (await this.#all()).find((imported) => imported.id === id)?.key;
  }

  /** @internal What redaction must know. */
  teach(learn: (secret: string) => void): void {
    for (const text of this.#texts) learn(text);
    for (const bytes of this.#bytes) {
      learn(base64OfBytes(bytes));
      learn(Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(""));
    }
  }

  toString(): string {
    return `CryptoKeys(${this.#bytes.length})`;
  }

  toJSON(): string {
    return this.toString();
  }

  async #all(): Promise<readonly Imported[]> {
    this.#imported ??= await Promise.all(this.#bytes.map(imported));
    return this.#imported;
  }
}

/**
 * The keys of `SEAWALL_CRYPTO_KEY`, or of `PG_META_CRYPTO_KEY`, its older name: one, or several parted by commas, the
 * newest first. Without `variables` it is the process's environment that is asked.
 *
 * @throws TypeError when there is none, when the two names disagree, and what {@link CryptoKeys} throws.
 */
export function cryptoKeys(variables?: KeyVariables): CryptoKeys {
  const read = (name: string) => textOf(name, variables === undefined ? platform.variable?.(name) : variables[name]);
  const [own, older] = [read(NAME), read(ALIAS)];
  if (own !== undefined && older !== undefined && own !== older) {
    throw new TypeError(`${NAME} and ${ALIAS} are both set, and differ; the second is an older name of the first`);
  }
  const name = own === undefined ? ALIAS : NAME;
  const text = own ?? older;
  if (text === undefined) {
    throw new TypeError(`${NAME} is not set: connection strings are stored encrypted or not at all. It is ${WANTED}`);
  }
  return new CryptoKeys(text.split(","), name);
}

function textOf(name: string, value: unknown): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value !== "string") throw new TypeError(`${name} must be a text, got ${kindOf(value)}`);
  return value;
}

function keyOf(text: unknown, name: string): Uint8Array<ArrayBuffer> {
  if (typeof text !== "string") throw new TypeError(`${name} must be ${WANTED}; got ${kindOf(text)}`);
  const bytes = bytesOf(text.trim());
  if (bytes === undefined) throw new TypeError(`${name} must be ${WANTED}; got ${text.trim().length} characters`);
  if (bytes.every((byte) => byte === bytes[0])) throw new TypeError(`${name} must be random; it is one byte repeated`);
  return bytes;
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) {
    return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  }
  if (!/^[\w+/-]{43}=?$/.test(text)) return undefined;
  const standard = text.replaceAll("-", "+").replaceAll("_", "/");
  const bytes = new Uint8Array(bytesOfBase64(standard.length === 43 ? `${standard}=` : standard));
  return bytes.length === KEY_BYTES ? bytes : undefined;
}

async function imported(bytes: Uint8Array<ArrayBuffer>): Promise<Imported> {
  const domain = new TextEncoder().encode(DOMAIN);
  const named = new Uint8Array(domain.length + bytes.length);
  named.set(domain);
  named.set(bytes, domain.length);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", named));
  const id = Array.from(digest.subarray(0, ID_BYTES), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { id, key: await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]) };
}
