// How what is known of somebody crosses into the core: written into its memory, attribute by attribute.

/** What may be known of somebody. Other values, and what is not there, are missing. */
export type AttributeValue = string | number | boolean | bigint | Date | null | undefined;

const Tag = { Missing: 0, Text: 1, Number: 2, False: 3, True: 4, Unusable: 255 } as const;

/** No text of an attribute is longer, in bytes: what has more characters is not even written. */
const TEXT_MAX = 4_096;
/** What each attribute has before all texts. */
const HEAD = 9;
/** A text of so many characters is written one by one, if it is ASCII: faster than an encoder. */
const SHORT = 64;

const encoder = new TextEncoder();

const NO_BYTES = new Uint8Array();
const NO_VIEW = new DataView(NO_BYTES.buffer);

/** Room in the core's memory: where it begins, for so many bytes. */
export type Room = (length: number) => { readonly address: number; readonly memory: ArrayBuffer };

/** What is known, in bytes of its own. */
export function packAttributes(
  names: readonly string[],
  known: Readonly<Record<string, unknown>>,
  slots?: readonly number[],
): Uint8Array {
  let memory = new ArrayBuffer(0);
  const writer = new RoomWriter((length) => {
    memory = new ArrayBuffer(length);
    return { address: 0, memory };
  });
  const length = writer.write(names, known, slots);
  return new Uint8Array(memory, 0, length);
}

/** Writes attributes into the core's memory: first a head of each, then all texts. `src/flags/packed/attributes.rs` reads them. */
export class RoomWriter {
  readonly #room: Room;
  #bytes = NO_BYTES;
  #view = NO_VIEW;

  constructor(room: Room) {
    this.#room = room;
  }

  /** Writes what is known, in the order of `names`; of these slots alone if there are any, and the others are missing. Returns how many bytes it is. */
  write(names: readonly string[], known: Readonly<Record<string, unknown>>, slots?: readonly number[]): number {
    const { length } = slots ?? names;
    let at = names.length * HEAD;
    // Memory that has grown is elsewhere: then this has no bytes any more.
    let bytes = this.#bytes.length < at ? this.#reserve(at, 0) : this.#bytes;
    if (slots !== undefined) bytes.fill(Tag.Missing, 0, at);
    for (let place = 0; place < length; place += 1) {
      const slot = slots === undefined ? place : (slots[place] as number);
      const value = known[names[slot] as string];
      // First what most are, because this is run for each request.
      if (typeof value === "string") {
        const written = value.length <= SHORT && at + SHORT <= bytes.length ? ascii(value, bytes, at) : -1;
        if (written < 0) {
          at = this.#text(value, slot, at);
          bytes = this.#bytes;
        } else {
          bytes[slot * HEAD] = Tag.Text;
          bytes[slot * HEAD + 1] = written;
          bytes[slot * HEAD + 2] = 0;
          at += written;
        }
      } else if (typeof value === "number") {
        bytes[slot * HEAD] = Tag.Number;
        this.#view.setFloat64(slot * HEAD + 1, value, true);
      } else {
        at = this.#other(value, slot, at);
        bytes = this.#bytes;
      }
    }
    return at;
  }

  #other(value: unknown, slot: number, at: number): number {
    const own = plain(value);
    if (typeof own === "string") return this.#text(own, slot, at);
    this.#bytes[slot * HEAD] = own === undefined ? Tag.Missing : own ? Tag.True : Tag.False;
    return at;
  }

  #text(text: string, slot: number, at: number): number {
    const head = slot * HEAD;
    if (text.length > TEXT_MAX) {
      this.#bytes[head] = Tag.Unusable;
      return at;
    }
    const bytes = this.#reserve(at + 3 * text.length, at);
    const { written } = encoder.encodeInto(text, bytes.subarray(at));
    bytes[head] = Tag.Text;
    bytes[head + 1] = written & 255;
    bytes[head + 2] = written >>> 8;
    return at + written;
  }

  /** Has room for so many bytes. Those that were written stay. */
  #reserve(length: number, written: number): Uint8Array {
    if (length <= this.#bytes.length) return this.#bytes;
    const kept = written > 0 ? this.#bytes.slice(0, written) : undefined;
    const wanted = Math.max(512, 2 * length);
    const { address, memory } = this.#room(wanted);
    this.#bytes = new Uint8Array(memory, address, wanted);
    this.#view = new DataView(memory, address, wanted);
    if (kept !== undefined) this.#bytes.set(kept);
    return this.#bytes;
  }
}

/** Writes a text if it is ASCII, and returns its length; else -1. */
function ascii(text: string, bytes: Uint8Array, start: number): number {
  const { length } = text;
  for (let at = 0; at < length; at += 1) {
    const code = text.charCodeAt(at);
    if (code > 127) return -1;
    bytes[start + at] = code;
  }
  return length;
}

/** A value that flags can be asked about, but a number. */
function plain(value: unknown): string | boolean | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "bigint":
      return value.toString();
    default:
      return value instanceof Date && Number.isFinite(value.getTime()) ? value.toISOString() : undefined;
  }
}
