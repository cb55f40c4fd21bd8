// The last known good: what held when the application was built, with the versions of the orders that said so.

import { base64OfBytes, bytesOfBase64 } from "../hrana/base64.ts";
import type { Held } from "./orders.ts";

const FORMAT = "seawall-flags/1";

/** What holds, as JSON that every bundler imports. */
export interface FlagBundle {
  readonly format: typeof FORMAT | string;
  /** When it was known to hold, in milliseconds since the epoch: `maxAge` counts from then. */
  readonly takenAtMs: number;
  /** The orders that it is of; nothing older is taken after it. */
  readonly versions: Held;
  /** What was killed, `true` for everything. */
  readonly kill: readonly string[] | true;
  /** The flags, as `flags.snapshot()` has them, in base64. */
  readonly snapshot: string;
}

/** A bundle with its snapshot as bytes. */
export interface ReadBundle extends Omit<FlagBundle, "format" | "snapshot"> {
  readonly definitions: Uint8Array;
}

export function bundled(
  snapshot: Uint8Array,
  versions: Held,
  kill: readonly string[] | true,
  takenAtMs: number,
): FlagBundle {
  return { format: FORMAT, takenAtMs, versions, kill, snapshot: base64OfBytes(snapshot) };
}

/** Whether somebody means a bundle: a document has no `format`. */
export function isBundle(definitions: unknown): definitions is FlagBundle {
  return typeof definitions === "object" && definitions !== null && "format" in definitions;
}

/** @throws Error that says what is wrong with it. */
export function readBundle({ format, takenAtMs, versions, kill, snapshot }: FlagBundle): ReadBundle {
  if (format !== FORMAT)
    throw new Error(`a bundle of flags has the format ${FORMAT}: make it anew with flags.bundle()`);
  const isWhole = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
  if (!isWhole(takenAtMs) || !isWhole(versions?.flags) || !isWhole(versions?.kill) || typeof snapshot !== "string") {
    throw new Error("the bundle of flags is damaged: make it anew with flags.bundle()");
  }
  if (kill !== true && !Array.isArray(kill))
    throw new Error("the bundle's kill is a list of keys, or true for all of them");
  let definitions: Uint8Array;
  try {
    definitions = new Uint8Array(bytesOfBase64(snapshot));
  } catch {
    throw new Error("the bundle's snapshot is no base64");
  }
  return { takenAtMs, versions: { flags: versions.flags, kill: versions.kill }, kill, definitions };
}
