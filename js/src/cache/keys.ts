// Keys of the query cache: exact, never a digest. Two reads share a key only if the server would be sent the same text.

import type { InArgs, InValue } from "../api.ts";
import { base64OfBytes } from "../hrana/base64.ts";

/** Longer keys are not kept, in characters: what they lead to is rarely asked for twice. */
const KEY_MAX = 65_536;

/**
 * The arguments as text that tells types apart: 1, 1n, "1" and true differ, blobs count by content.
 *
 * @returns undefined for arguments that cannot be bound, that are turned into text by their own code, or that are too long.
 */
export function keyOfArgs(args: InArgs | undefined): string | undefined {
  if (!args) return "";
  let key = "";
  if (Array.isArray(args)) {
    for (let i = 0; i < args.length; i++) {
      const part = keyOfValue(args[i] as InValue);
      if (part === undefined) return undefined;
      key += part;
    }
  } else {
    for (const [name, value] of Object.entries(args)) {
      const part = keyOfValue(value);
      if (part === undefined) return undefined;
      key += `@${name.length}:${name}${part}`;
    }
  }
  return key.length <= KEY_MAX ? key : undefined;
}

/** Text carries its length, so that no text can end and look like the next value. */
function keyOfValue(value: InValue): string | undefined {
  switch (typeof value) {
    case "string":
      return `s${value.length}:${value}`;
    case "number":
      return Number.isFinite(value) ? `n${value};` : undefined;
    case "bigint":
      return `i${value};`;
    case "boolean":
      return value ? "t" : "f";
    case "object":
      return value === null ? "0" : keyOfObject(value);
    default:
      return undefined;
  }
}

function keyOfObject(value: ArrayBuffer | Uint8Array | Date): string | undefined {
  let bytes: Uint8Array | undefined;
  if (ArrayBuffer.isView(value)) {
    if (value[Symbol.toStringTag] === "Uint8Array") bytes = value;
  } else {
    const tag = Object.prototype.toString.call(value);
    if (tag === "[object ArrayBuffer]") bytes = new Uint8Array(value as ArrayBuffer);
    // A date is bound as its number.
    if (tag === "[object Date]") return keyOfValue(+(value as Date).valueOf());
  }
  if (bytes === undefined || bytes.length > KEY_MAX) return undefined;
  return `x${bytes.length}:${base64OfBytes(bytes)}`;
}
