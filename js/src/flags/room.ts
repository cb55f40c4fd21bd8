// How what is known of somebody crosses into the core: written into its memory, attribute by attribute.

/** What may be known of somebody. Other values, and what is not there, are missing. */
export type AttributeValue = string | number | boolean | bigint | Date | null | undefined;

const Tag = { Missing: 0, Text: 1, Number: 2, False: 3, True: 4, Unusable: 255 } as const;

/** No text of an attribute is longer, in bytes: what has more characters is not even written. */
const TEXT_MAX = 4_096;
/** What is before a text, and more than a number takes with what is before it. */
const HEAD = 9;

const encoder = new TextEncoder();

/** Room in the core's memory: where it begins, for so many bytes. */
export type Room = (length: number) => { readonly address: number; readonly memory: ArrayBuffer };

/** What is known, in bytes of its own. */
export function packAttributes(names: readonly string[], known: Readonly<Record<string, unknown>>): Uint8Array {
  let memory = new ArrayBuffer(0);
  const writer = new RoomWriter((length) => {
    memory = new ArrayBuffer(length);
    return { address: 0, memory };
  });
  const length = writer.write(names, known);
  return new Uint8Array(memory, 0, length);
}

/** Writes attributes into the core's memory. */
export class RoomWriter {
  readonly #room: Room;
  #address = 0;
  #length = 0;
  #bytes = new Uint8Array();
  #view = new DataView(new ArrayBuffer(0));

  constructor(room: Room) {
    this.#room = room;
  }

  /** Writes what is known, in the order of `names`. Returns how many bytes it is. */
  write(names: readonly string[], known: Readonly<Record<string, unknown>>): number {
    let at = 0;
    for (const name of names) {
      const value = plain(known[name]);
      this.#reserve(at + HEAD + (typeof value === "string" ? 3 * value.length : 0), at);
      at = this.#put(value, at);
    }
    return at;
  }

  #put(value: string | number | boolean | undefined, at: number): number {
    const bytes = this.#bytes;
    switch (typeof value) {
      case "string":
        return this.#text(value, at);
      case "number":
        bytes[at] = Tag.Number;
        this.#view.setFloat64(at + 1, value, true);
        return at + HEAD;
      case "boolean":
        bytes[at] = value ? Tag.True : Tag.False;
        return at + 1;
      default:
        bytes[at] = Tag.Missing;
        return at + 1;
    }
  }

  #text(text: string, at: number): number {
    const bytes = this.#bytes;
    if (text.length > TEXT_MAX) {
      bytes[at] = Tag.Unusable;
      return at + 1;
    }
    const start = at + 3;
    let length = ascii(text, bytes, start);
    if (length < 0) length = encoder.encodeInto(text, bytes.subarray(start)).written;
    bytes[at] = Tag.Text;
    bytes[at + 1] = length & 255;
    bytes[at + 2] = length >>> 8;
    return start + length;
  }

  /** Has room for so many bytes. Memory that grew has moved: what was written so far is in it still. */
  #reserve(length: number, written: number): void {
    if (length <= this.#length && this.#bytes.byteLength > 0) return;
    const kept = this.#bytes.byteLength > 0 ? this.#bytes.slice(0, written) : undefined;
    const wanted = Math.max(256, 2 * length);
    const { address, memory } = this.#room(wanted);
    this.#address = address;
    this.#length = Math.min(wanted, memory.byteLength - address);
    this.#bytes = new Uint8Array(memory, this.#address, this.#length);
    this.#view = new DataView(memory, this.#address, this.#length);
    if (kept !== undefined) this.#bytes.set(kept);
  }
}

/** Writes a text if it is ASCII, and returns its length; else -1. Faster than an encoder for what is short. */
function ascii(text: string, bytes: Uint8Array, start: number): number {
  const { length } = text;
  if (length > 64) return -1;
  for (let at = 0; at < length; at += 1) {
    const code = text.charCodeAt(at);
    if (code > 127) return -1;
    bytes[start + at] = code;
  }
  return length;
}

/** A value that flags can be asked about. */
function plain(value: unknown): string | number | boolean | undefined {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
      return value;
    case "bigint":
      return value.toString();
    default:
      return value instanceof Date && Number.isFinite(value.getTime()) ? value.toISOString() : undefined;
  }
}
