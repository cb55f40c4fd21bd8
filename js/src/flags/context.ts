// What flags are for one user or request: packed once, asked as often as one likes.

import {
  type ErrorCode,
  errorOf,
  placeOf,
  type Reason,
  reasonOf,
  Served,
  type Source,
  servedOf,
  sourceOf,
  underlyingOf,
} from "./decision.ts";
import type { Engine, KnownFlag } from "./engine.ts";

/**
 * Who, or what, a flag is asked for. `targetingKey` is the id by which users are told apart where a flag does not name another
 * attribute. Texts of at most 4,096 bytes, numbers, booleans, dates.
 */
export interface EvaluationContext {
  readonly targetingKey?: string | number | undefined;
  readonly [attribute: string]: unknown;
}

/** More of a decision. */
export interface FlagMetadata {
  /** The edition of the document. */
  readonly revision: number;
  /** Who turned the flag off or on, if that was no rule. */
  readonly by?: Source;
  /** The rule that matched, by its id or its place. */
  readonly rule?: string | number;
  /** The bucket of a million that decided whether somebody is in. */
  readonly bucket?: number;
  /** The flag that is required, and is not as it must be. */
  readonly prerequisite?: string;
  /** The reason, if the definitions were not stale. */
  readonly reason?: Reason;
}

/** A value, and why it is that. */
export interface FlagDetails<T> {
  readonly value: T;
  /** The name of the variant; not there where the value is the caller's own, or a variable's. */
  readonly variant?: string;
  readonly reason: Reason;
  readonly errorCode?: ErrorCode;
  readonly errorMessage?: string;
  readonly metadata: FlagMetadata;
}

/** JSON as a flag gives it. It is frozen. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/** Flags for one user or request. Nothing here throws, and nothing waits. */
export class FlagContext {
  readonly #engine: Engine;
  /** What is known, as it was when this was made. */
  readonly known: Readonly<Record<string, unknown>>;

  /** @internal */
  constructor(engine: Engine, known: EvaluationContext) {
    this.#engine = engine;
    this.known = { ...known };
  }

  /** `fallback` where there is no such flag, or it is of another kind. A flag that was killed is `false`. */
  boolean(key: string, fallback = false): boolean {
    const value = this.#engine.value(this, key);
    return typeof value === "boolean" ? value : fallback;
  }

  string(key: string, fallback = ""): string {
    const value = this.#engine.value(this, key);
    return typeof value === "string" ? value : fallback;
  }

  number(key: string, fallback = 0): number {
    const value = this.#engine.value(this, key);
    return typeof value === "number" ? value : fallback;
  }

  /** A value that is an object, a list or null. */
  json<T extends JsonValue>(key: string, fallback: T): T {
    const value = this.#engine.value(this, key);
    return value !== undefined && typeof value === "object" ? (value as T) : fallback;
  }

  booleanDetails(key: string, fallback = false): FlagDetails<boolean> {
    return this.#details(key, fallback, (value): value is boolean => typeof value === "boolean");
  }

  stringDetails(key: string, fallback = ""): FlagDetails<string> {
    return this.#details(key, fallback, (value): value is string => typeof value === "string");
  }

  numberDetails(key: string, fallback = 0): FlagDetails<number> {
    return this.#details(key, fallback, (value): value is number => typeof value === "number");
  }

  jsonDetails<T extends JsonValue>(key: string, fallback: T): FlagDetails<T> {
    return this.#details(key, fallback, (value): value is T => value !== undefined && typeof value === "object");
  }

  /** Every flag, by key; those for which the caller's code says are not there. */
  all(): Record<string, JsonValue> {
    return this.#engine.all(this);
  }

  #details<T extends JsonValue>(
    key: string,
    fallback: T,
    is: (value: JsonValue | undefined) => value is T,
  ): FlagDetails<T> {
    const engine = this.#engine;
    const flag = engine.flag(key);
    const alone = flag === undefined ? engine.alone(this, key) : undefined;
    if (flag === undefined && alone === undefined) return missing(engine, key, fallback);
    const decision = alone?.decision ?? engine.decideInDetail(this, flag as KnownFlag);
    const value = alone === undefined ? engine.served(flag as KnownFlag, decision) : alone.value;
    const reason = reasonOf(decision);
    const errorCode = errorOf(decision);
    const [by, underlying] = [sourceOf(decision), underlyingOf(decision)];
    const metadata: FlagMetadata = {
      revision: engine.revision,
      ...(by !== undefined && { by }),
      ...(underlying !== reason && { reason: underlying }),
      ...(alone === undefined && engine.detail()),
    };
    if (errorCode !== undefined) {
      return { value: fallback, reason, errorCode, errorMessage: MESSAGES[errorCode], metadata };
    }
    // Off, and the caller's code says what that is.
    if (value === undefined) return { value: fallback, reason, metadata };
    if (!is(value)) {
      return {
        value: fallback,
        reason: "ERROR",
        errorCode: "TYPE_MISMATCH",
        errorMessage: kindMessage(key, value),
        metadata,
      };
    }
    const variant = servedOf(decision) === Served.Variant ? flag?.names[placeOf(decision)] : undefined;
    return { value, ...(variant !== undefined && { variant }), reason, metadata };
  }
}

const MESSAGES: Readonly<Record<ErrorCode, string>> = {
  PROVIDER_NOT_READY: "No definitions of flags were loaded.",
  FLAG_NOT_FOUND: "There is no such flag.",
  PARSE_ERROR: "The definitions cannot be read.",
  TYPE_MISMATCH: "The flag is of another kind.",
  TARGETING_KEY_MISSING: "The flag needs an id to tell users apart, and the context has none.",
  INVALID_CONTEXT: "An attribute is text of more than 4,096 bytes.",
  PROVIDER_FATAL: "The flags cannot be used.",
  GENERAL: "The flag could not be evaluated.",
};

function missing<T>(engine: Engine, key: string, fallback: T): FlagDetails<T> {
  const metadata = { revision: engine.revision };
  const nearest = engine.isReady ? engine.nearest(key) : "";
  const errorCode = engine.isReady ? "FLAG_NOT_FOUND" : "PROVIDER_NOT_READY";
  const errorMessage = nearest === "" ? MESSAGES[errorCode] : `${MESSAGES[errorCode]} Did you mean ${nearest}?`;
  return { value: fallback, reason: "ERROR", errorCode, errorMessage, metadata };
}

function kindMessage(key: string, value: JsonValue): string {
  const kind = typeof value === "object" ? "JSON" : typeof value;
  return `${key.slice(0, 64)} is ${kind}: ask for that.`;
}
