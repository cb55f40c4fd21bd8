// What `seawall/flags` exports.

export type { EvaluationContext, FlagContext, FlagDetails, FlagMetadata, JsonValue } from "./context.ts";
export type { ErrorCode, Reason, Source } from "./decision.ts";
export { type FlagTypesOptions, flagTypes } from "./declare.ts";
export {
  createFlags,
  type FlagDefinitions,
  type FlagDocument,
  type FlagOrders,
  type Flags,
  type FlagsChanged,
  type FlagsOptions,
  type FlagsRefused,
} from "./flags.ts";
export { type Explanation, FlagsRefusedError, type Moved } from "./reports.ts";
export type { FlagType, FlagTypes, TypedFlagContext, TypedFlags } from "./typed.ts";
