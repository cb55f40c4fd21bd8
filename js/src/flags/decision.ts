// A decision of the core: one number, and what it says in the words of OpenFeature. `src/flags/packed.rs` has the same
// order.

export const REASONS = [
  "STATIC",
  "TARGETING_MATCH",
  "SPLIT",
  "DEFAULT",
  "DISABLED",
  "STALE",
  "CACHED",
  "ERROR",
] as const;
export const ERROR_CODES = [
  "PROVIDER_NOT_READY",
  "FLAG_NOT_FOUND",
  "PARSE_ERROR",
  "TYPE_MISMATCH",
  "TARGETING_KEY_MISSING",
  "INVALID_CONTEXT",
  "PROVIDER_FATAL",
  "GENERAL",
] as const;
const SOURCES = ["kill", "flag", "env"] as const;

/** Why a flag is what it is. */
export type Reason = (typeof REASONS)[number];
/** What went wrong. */
export type ErrorCode = (typeof ERROR_CODES)[number];
/** Who turned a flag off or on, if that was no rule: the list of kills, the flag itself, an environment variable. */
export type Source = (typeof SOURCES)[number];

/** What is served: a variant, a value of a variable, `false`, or nothing. */
export const Served = { Variant: 0, Forced: 1, False: 2, Nothing: 3 } as const;

export const servedOf = (decision: number): number => (decision >>> 16) & 3;
/** The place of the variant, or of the value of a variable. */
export const placeOf = (decision: number): number => decision & 0xffff;
export const reasonOf = (decision: number): Reason => REASONS[(decision >>> 18) & 7] as Reason;
/** The reason, if the definitions were not stale. */
export const underlyingOf = (decision: number): Reason => REASONS[(decision >>> 21) & 7] as Reason;
export const errorOf = (decision: number): ErrorCode | undefined => ERROR_CODES[((decision >>> 24) & 15) - 1];
export const sourceOf = (decision: number): Source | undefined => SOURCES[((decision >>> 28) & 3) - 1];
