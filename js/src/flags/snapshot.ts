// What `seawall/flags/snapshot` exports: flags of snapshots alone, without what reads documents.

import type { FlagSnapshot } from "./definitions.ts";
import { type Flags as AllFlags, Flags, type FlagsOptions } from "./flags.ts";
import type { FlagTypes, TypedFlags } from "./typed.ts";

export type { EvaluationContext, FlagContext, FlagDetails, FlagMetadata, JsonValue } from "./context.ts";
export type { ErrorCode, Reason, Source } from "./decision.ts";
export type { FlagSnapshot } from "./definitions.ts";
export type { FlagExposure } from "./exposures.ts";
export type { FlagOrders, FlagsChanged, FlagsRefused } from "./flags.ts";
export { FlagsRefusedError } from "./reports.ts";
export type { FlagType, FlagTypes, TypedFlagContext, TypedFlags } from "./typed.ts";

/** As those of `seawall/flags`; definitions are a snapshot. */
export interface SnapshotFlagsOptions extends Omit<FlagsOptions, "definitions"> {
  readonly definitions?: FlagSnapshot;
}

/** Flags that are loaded from snapshots: those of `seawall/flags` but for what reads documents. */
export interface SnapshotFlags
  extends Omit<AllFlags, "update" | "explain" | "sampleRatio" | "mismatches" | "whoMoves"> {
  /** Replaces the definitions, all of them or none. See {@link AllFlags.update}. */
  update(definitions: FlagSnapshot): readonly string[];
}

/** What {@link SnapshotFlags} are where keys and kinds are known. */
export interface TypedSnapshotFlags<T extends FlagTypes<T>>
  extends Omit<SnapshotFlags, "for" | "kill" | "constant">,
    Pick<TypedFlags<T>, "for" | "kill" | "constant"> {}

/**
 * Makes flags of a snapshot, as `compileFlags` of `seawall/flags` or the monitor makes it. With a type that `flagTypes` of `seawall/flags` has
 * written, the compiler knows keys, kinds and values.
 *
 * @throws FlagsRefusedError that names what is wrong with `definitions` or with variables.
 */
export function createFlags(options?: SnapshotFlagsOptions): SnapshotFlags;
export function createFlags<T extends FlagTypes<T>>(options?: SnapshotFlagsOptions): TypedSnapshotFlags<T>;
export function createFlags(options?: SnapshotFlagsOptions): SnapshotFlags {
  return new Flags(options);
}
