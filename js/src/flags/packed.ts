// What crosses the boundary as bytes, as `src/flags/packed.rs` has it.

import type { JsonValue } from "./context.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Most bytes of a text that are looked at one by one: a decoder takes longer to begin. */
const SHORT = 32;

/** As deep as the core reads JSON, and as great as its numbers are. */
const DEPTH_MAX = 32;

/** What is said where nothing is killed and there is no variable. */
const NOTHING = new Uint8Array(9);

/** What is said beside the flags: what is killed, and variables with what they are as JSON. */
export function packSaid(kill: readonly string[] | true, variables: Readonly<Record<string, string>>): Uint8Array {
  const entries = Object.entries(variables);
  if (kill !== true && kill.length + entries.length === 0) return NOTHING;
  const writer = new Writer();
  writer.byte(kill === true ? 1 : 0);
  const keys = kill === true ? [] : kill;
  writer.count(keys.length);
  for (const key of keys) writer.text(key);
  writer.count(entries.length);
  for (const [name, value] of entries) {
    writer.text(name);
    writer.text(value);
    writer.json(value);
  }
  return writer.bytes();
}

class Writer {
  #bytes = new Uint8Array(64);
  #length = 0;

  byte(byte: number): void {
    this.#reserve(1)[this.#length++] = byte;
  }

  count(count: number): void {
    const bytes = this.#reserve(4);
    for (let shift = 0; shift < 32; shift += 8) bytes[this.#length++] = count >>> shift;
  }

  text(text: string): void {
    const { length } = text;
    const bytes = this.#reserve(4 + 3 * length);
    const { written } = encoder.encodeInto(text, bytes.subarray(this.#length + 4));
    this.count(written);
    this.#length += written;
  }

  /** What a text is as JSON, if it is any that the core would read. */
  json(text: string): void {
    const value = jsonOf(text);
    if (value === undefined) this.byte(0);
    else if (typeof value === "boolean") this.byte(value ? 2 : 1);
    else if (typeof value === "number") this.#number(value);
    else {
      this.byte(typeof value === "string" ? 4 : 5);
      this.text(typeof value === "string" ? value : JSON.stringify(value));
    }
  }

  #number(value: number): void {
    this.byte(3);
    new DataView(this.#reserve(8).buffer).setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(more: number): Uint8Array<ArrayBuffer> {
    if (this.#bytes.length < this.#length + more) {
      const larger = new Uint8Array(2 * (this.#length + more));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    return this.#bytes;
  }
}

function jsonOf(text: string): JsonValue | undefined {
  try {
    const value = JSON.parse(text) as JsonValue;
    return isTaken(value, 0) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isTaken(value: JsonValue, depth: number): boolean {
  if (typeof value === "number") return Math.abs(value) <= Number.MAX_SAFE_INTEGER && !Object.is(value, -0);
  if (value === null || typeof value !== "object") return true;
  if (depth === DEPTH_MAX) return false;
  return Object.entries(value).every(([name, part]) => name !== "__proto__" && isTaken(part, depth + 1));
}

/** Reads what the core has written. */
export class PackedReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  count(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }

  text(): string {
    const start = this.#at + 4;
    this.#at = start + this.count();
    const isShort = this.#at - start <= SHORT;
    return (isShort && ascii(this.#bytes, start, this.#at)) || decoder.decode(this.#bytes.subarray(start, this.#at));
  }

  /** A value, frozen; undefined if there is none. */
  value(): JsonValue | undefined {
    const tag = this.#bytes[this.#at++];
    switch (tag) {
      case 1:
        return false;
      case 2:
        return true;
      case 3:
        this.#at += 8;
        return this.#view.getFloat64(this.#at - 8, true);
      case 4:
        return this.text();
      case 5:
        return frozen(JSON.parse(this.text()) as JsonValue);
      default:
        return undefined;
    }
  }
}

/** A text that is ASCII alone; else none. */
function ascii(bytes: Uint8Array, start: number, end: number): string | undefined {
  let text = "";
  for (let at = start; at < end; at += 1) {
    const code = bytes[at] as number;
    if (code > 127) return undefined;
    text += String.fromCharCode(code);
  }
  return text;
}

/** All texts of what the core has written. */
export function textsIn(bytes: Uint8Array): string[] {
  const reader = new PackedReader(bytes);
  const found: string[] = [];
  while (!reader.isAtEnd) found.push(reader.text());
  return found;
}

/** The same, and nobody changes it for others. */
function frozen<T extends JsonValue>(value: T): T {
  if (value !== null && typeof value === "object") {
    for (const part of Object.values(value)) frozen(part);
    Object.freeze(value);
  }
  return value;
}
