// Flags whose keys, values and variants the compiler knows: what `flagTypes` writes, and what `createFlags` makes of it.

import type { EvaluationContext, FlagContext, FlagDetails, JsonValue } from "./context.ts";
import type { Flags } from "./flags.ts";
import type { Background } from "./follower.ts";
import type { Explanation, SampleRatio } from "./reports.ts";

/** What a flag can be. */
export interface FlagType {
  /** All that its variants are. */
  readonly value: unknown;
  /** All that they are called. */
  readonly variant: string;
}

/** What flags can be, by key: a type that {@link flagTypes} has written, or one of your own. */
export type FlagTypes<T> = { readonly [Key in keyof T]: FlagType };

type Value<T, Key extends keyof T> = T[Key] extends { readonly value: infer V } ? V : never;
type Variant<T, Key extends keyof T> = T[Key] extends { readonly variant: infer V extends string } ? V : never;
/** The keys of flags of a kind. */
type KeysOf<T, Kind> = { [Key in keyof T]-?: [Value<T, Key>] extends [Kind] ? Key : never }[keyof T] & string;
type Json = object | null;
type Details<T, Key extends keyof T, Fallback> = FlagDetails<Value<T, Key> | Fallback> & {
  readonly variant?: Variant<T, Key>;
};

/**
 * What a {@link FlagContext} is where keys and kinds are known. An answer is a value of the flag or the one that the code says, which holds where
 * the flag is off.
 */
export interface TypedFlagContext<T extends FlagTypes<T>> extends Pick<FlagContext, "known"> {
  boolean(key: KeysOf<T, boolean>, fallback?: boolean): boolean;
  string<Key extends KeysOf<T, string>>(key: Key): Value<T, Key> | "";
  string<Key extends KeysOf<T, string>, const Fallback extends string>(
    key: Key,
    fallback: Fallback,
  ): Value<T, Key> | Fallback;
  number<Key extends KeysOf<T, number>>(key: Key): Value<T, Key> | 0;
  number<Key extends KeysOf<T, number>, const Fallback extends number>(
    key: Key,
    fallback: Fallback,
  ): Value<T, Key> | Fallback;
  json<Key extends KeysOf<T, Json>, const Fallback extends JsonValue>(
    key: Key,
    fallback: Fallback,
  ): Value<T, Key> | Fallback;
  booleanDetails<Key extends KeysOf<T, boolean>>(key: Key, fallback?: boolean): Details<T, Key, boolean>;
  stringDetails<Key extends KeysOf<T, string>, const Fallback extends string = "">(
    key: Key,
    fallback?: Fallback,
  ): Details<T, Key, Fallback>;
  numberDetails<Key extends KeysOf<T, number>, const Fallback extends number = 0>(
    key: Key,
    fallback?: Fallback,
  ): Details<T, Key, Fallback>;
  jsonDetails<Key extends KeysOf<T, Json>, const Fallback extends JsonValue>(
    key: Key,
    fallback: Fallback,
  ): Details<T, Key, Fallback>;
  /** Every flag, by key; those for which the caller's code says are not there. */
  all(): { readonly [Key in keyof T]?: Value<T, Key> };
}

/** What {@link Flags} are where keys and kinds are known. */
export interface TypedFlags<T extends FlagTypes<T>>
  extends Omit<Flags, "for" | "kill" | "constant" | "explain" | "sampleRatio"> {
  for(context: EvaluationContext, background?: Background): TypedFlagContext<T>;
  kill(keys: readonly (keyof T & string)[] | true): void;
  constant(key: KeysOf<T, boolean>, fallback?: boolean): boolean | undefined;
  explain(key: keyof T & string, context: EvaluationContext): Explanation | undefined;
  sampleRatio(key: keyof T & string): SampleRatio | undefined;
}
