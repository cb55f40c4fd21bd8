// What `seawall/flags` exports.

import { Flags, type FlagsOptions } from "./flags.ts";
import { tools } from "./tools.ts";
import type { FlagTypes, TypedFlags } from "./typed.ts";

export type { FlagBundle } from "./bundle.ts";
export type { EvaluationContext, FlagContext, FlagDetails, FlagMetadata, JsonValue } from "./context.ts";
export type { ErrorCode, Reason, Source } from "./decision.ts";
export { type FlagTypesOptions, flagTypes } from "./declare.ts";
export type { FlagDefinitions, FlagDocument, FlagSnapshot } from "./definitions.ts";
export {
  type CompiledFlags,
  compileFlags,
  exportFlags,
  type FlagEngine,
  type ImportedFlags,
  importFlags,
  validateFlags,
} from "./documents.ts";
export type { FlagExposure } from "./exposures.ts";
export type {
  FlagOrders,
  Flags,
  FlagsChanged,
  FlagsOptions,
  FlagsRefused,
  FlagsStale,
} from "./flags.ts";
export type { Background, FlagsFollowing } from "./follower.ts";
export type { Propagation, PropagationBy } from "./propagation.ts";
export { type Explanation, FlagsRefusedError, type Moved, type SampleRatio, type SplitMismatch } from "./reports.ts";
export type { FlagDatabase } from "./sources.ts";
export type { FlagType, FlagTypes, TypedFlagContext, TypedFlags } from "./typed.ts";
export type { LayerSettings } from "./variables.ts";

/**
 * Makes flags. See {@link FlagsOptions}. With a type that `flagTypes` has written, the compiler knows keys, kinds and values.
 *
 * @throws FlagsRefusedError that names all that is wrong with `definitions` or with variables.
 */
export function createFlags(options?: FlagsOptions): Flags;
export function createFlags<T extends FlagTypes<T>>(options?: FlagsOptions): TypedFlags<T>;
export function createFlags(options?: FlagsOptions): Flags {
  return new Flags(options, tools);
}
