// What may be recorded. All problems of one call are told at once; values that may be secret are never shown.

import { kindOf } from "../store/checks.ts";

/** Characters of a value that an error shows. */
const SHOWN_MAX = 40;
/** Some more than this, and a clock is wrong: milliseconds that a time may lie ahead. */
const AHEAD_MAX_MS = 300_000;

/** What a text may be. */
export interface TextRule {
  max: number;
  min?: number;
  /** Only these. */
  of?: readonly string[];
  /** Never shown. */
  isSecret?: boolean;
}

/** Problems of one call of `caller`, and what was found sound. */
export class Checks {
  readonly #caller: string;
  readonly #problems: string[] = [];

  constructor(caller: string, given: unknown) {
    this.#caller = caller;
    if (typeof given !== "object" || given === null || Array.isArray(given)) {
      throw new TypeError(`${caller} needs an object, got ${Array.isArray(given) ? "a list" : kindOf(given)}`);
    }
  }

  /** Names that are not among those known are typing errors. */
  only(given: object, known: readonly string[]): void {
    for (const name of Object.keys(given)) {
      if (!known.includes(name)) this.#problem(shown(name), `is unknown; there are ${known.join(", ")}`);
    }
  }

  text(name: string, value: unknown, { max, min = 1, of, isSecret = false }: TextRule): string {
    if (typeof value !== "string") {
      this.#problem(name, `must be a text, got ${kindOf(value)}`);
    } else if (of !== undefined && !of.includes(value)) {
      this.#problem(name, `must be one of ${of.join(", ")}, got ${shown(value)}`);
    } else if (value.length < min || value.length > max) {
      this.#problem(name, `must have ${min} to ${max} characters, got ${value.length}`);
    } else if (!isWellFormed(value)) {
      this.#problem(name, `must be one line of well-formed text${isSecret ? "" : `, got ${shown(value)}`}`);
    }
    return value as string;
  }

  optionalText(name: string, value: unknown, rule: TextRule): string | undefined {
    return value === undefined ? undefined : this.text(name, value, rule);
  }

  number(name: string, value: unknown, min = -Number.MAX_VALUE, max = Number.MAX_VALUE): number {
    if (typeof value !== "number" || !(value >= min && value <= max)) {
      const range = min === -Number.MAX_VALUE ? "a finite number" : `a number from ${min} to ${max}`;
      this.#problem(name, `must be ${range}, got ${typeof value === "number" ? value : kindOf(value)}`);
    }
    return value as number;
  }

  whole(name: string, value: unknown, min: number, max: number): number {
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
    const got = typeof value === "number" ? value : kindOf(value);
    this.#problem(name, `must be a whole number from ${min} to ${max}, got ${got}`);
    return min;
  }

  boolean(name: string, value: unknown): boolean {
    if (typeof value !== "boolean") this.#problem(name, `must be true or false, got ${kindOf(value)}`);
    return value === true;
  }

  /** Milliseconds since the epoch, rounded down; `now` if there is none. */
  time(name: string, value: unknown, now: number): number {
    if (value === undefined) return Math.floor(now);
    const given = value instanceof Date ? value.getTime() : value;
    return Math.floor(this.number(name, given, 0, now + AHEAD_MAX_MS));
  }

  /** `value` as JSON of at most `max` characters. */
  json(name: string, value: unknown, max: number): string {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.#problem(name, `must be an object, got ${Array.isArray(value) ? "a list" : kindOf(value)}`);
      return "{}";
    }
    const text = jsonOf(value);
    if (text === undefined) this.#problem(name, "cannot be written as JSON");
    else if (text.length > max) this.#problem(name, `must be at most ${max} characters as JSON, got ${text.length}`);
    return text ?? "{}";
  }

  /** @throws TypeError with everything that was wrong. */
  done(): void {
    if (this.#problems.length > 0) throw new TypeError(`${this.#caller}: ${this.#problems.join("; ")}`);
  }

  #problem(name: string, problem: string): void {
    this.#problems.push(`${name} ${problem}`);
  }
}

function jsonOf(value: object): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

/** No halves of pairs, and no control characters. */
function isWellFormed(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a terminal.
  return !/[\u0000-\u001f\u007f]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text);
}

function shown(text: string): string {
  return JSON.stringify(text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text);
}
