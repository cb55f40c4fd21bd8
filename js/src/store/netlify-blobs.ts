// Netlify Blobs: reads that may be a minute behind unless the store is a strong one, conditional writes by ETag.

import { demandMethods, timeoutOf, within } from "./checks.ts";
import type { Store } from "./store.ts";

/** An entry that was found. */
export interface BlobEntry {
  data: string;
  etag?: string;
  metadata: Record<string, unknown>;
}

/** The part of what `getStore()` of `@netlify/blobs` gives that is used. */
export interface BlobStore {
  getWithMetadata(key: string, options: { type: "text" }): Promise<BlobEntry | null>;
  set(
    key: string,
    text: string,
    options: { metadata: Record<string, unknown> } & ({ onlyIfNew?: boolean } | { onlyIfMatch?: string }),
  ): Promise<unknown>;
  list(options: { prefix: string }): Promise<{ blobs: { key: string }[] }>;
}

/**
 * Makes a store of a Blobs store. Blobs never expire by themselves: the time is kept beside the text, and what has
 * passed counts as absent but is still listed, until it is written again.
 *
 * @param options.timeout Milliseconds that a call may take; 2000 by default.
 * @throws TypeError when `blobs` is no such store.
 */
export function netlifyBlobsStore(blobs: BlobStore, options: { timeout?: number } = {}): Store {
  demandMethods(
    blobs,
    ["getWithMetadata", "set", "list"],
    "netlifyBlobsStore",
    'what getStore() of "@netlify/blobs" gives',
  );
  const timeout = timeoutOf(options.timeout, "netlifyBlobsStore");
  const limited = <T>(work: Promise<T>) => within(timeout, "netlify-blobs", work);
  const find = async (key: string) => blobs.getWithMetadata(blobKeyOf(key), { type: "text" });
  const compareAndSet = async (key: string, expected: string | null, text: string, ttlSeconds: number) => {
    const found = await find(key);
    if (textOf(found) !== expected) return false;
    if (found !== null && found.etag === undefined) {
      throw new Error("this Netlify Blobs store gives no ETag, and without one nothing can be compared");
    }
    const condition = found === null ? { onlyIfNew: true } : { onlyIfMatch: found.etag as string };
    const options = { metadata: { untilMs: untilOf(ttlSeconds) }, ...condition };
    const { modified, etag } = (await blobs.set(blobKeyOf(key), text, options)) as { modified: boolean; etag?: string };
    // The client takes every answer but a 412 for a success; only a write that was made has an ETag.
    if (modified && !etag) throw new Error("Netlify Blobs did not confirm a conditional write");
    return modified;
  };
  return {
    name: "netlify-blobs",
    caps: { compareAndSet: true, writesPerSecond: undefined, ttl: "exact", list: true },
    get: (key) => limited(find(key).then(textOf)),
    async put(key, text, ttlSeconds) {
      await limited(blobs.set(blobKeyOf(key), text, { metadata: { untilMs: untilOf(ttlSeconds) } }));
    },
    compareAndSet: (key, expected, text, ttlSeconds) => limited(compareAndSet(key, expected, text, ttlSeconds)),
    async list(prefix) {
      const { blobs: found } = await limited(blobs.list({ prefix: blobKeyOf(prefix) }));
      return found.map(({ key }) => keyOf(key)).sort();
    },
  };
}

function textOf(entry: BlobEntry | null): string | null {
  return entry !== null && Date.now() < Number(entry.metadata.untilMs ?? 0) ? entry.data : null;
}

function untilOf(ttlSeconds: number): number {
  return Date.now() + Math.round(ttlSeconds * 1_000);
}

/**
 * A key as Blobs takes it. Its client puts it into an URL as it is, where `?` ends it and `..` shortens it; so what is no
 * letter or digit stands as `=` and two hexadecimal digits for each byte. A prefix of a key gives a prefix.
 */
function blobKeyOf(key: string): string {
  return key.replace(/[^\w./-]|(?<=^|\/)[./]/gu, (character) =>
    Array.from(new TextEncoder().encode(character), (byte) => `=${byte.toString(16).padStart(2, "0")}`).join(""),
  );
}

function keyOf(blobKey: string): string {
  return decodeURIComponent(blobKey.replaceAll("=", "%"));
}
