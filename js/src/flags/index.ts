// What `seawall/flags` exports.

export type { FlagBundle } from "./bundle.ts";
export type { EvaluationContext, FlagContext, FlagDetails, FlagMetadata, JsonValue } from "./context.ts";
export type { ErrorCode, Reason, Source } from "./decision.ts";
export {
  createFlags,
  type FlagDefinitions,
  type FlagDocument,
  type FlagOrders,
  type Flags,
  type FlagsChanged,
  type FlagsOptions,
  type FlagsRefused,
  type FlagsStale,
} from "./flags.ts";
export type { Background, FlagsFollowing } from "./follower.ts";
export type { Propagation, PropagationBy } from "./propagation.ts";
export { type Explanation, FlagsRefusedError, type Moved } from "./reports.ts";
export type { FlagDatabase } from "./sources.ts";
