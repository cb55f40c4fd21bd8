// Tiers by name, and what their limits are called in errors and documents.

import type { Priority } from "../config/options.ts";
import { TIERS } from "./tier-table.ts";

/** Names of the tiers. */
export type TierName = keyof typeof TIERS;

/** What a tier gives. */
export interface TierLimits {
  readonly minConnections: number;
  readonly maxConnections: number;
  /** Operations at once, running and waiting. */
  readonly maxConcurrent: number;
  /** Milliseconds that a query may take. */
  readonly timeout: number;
  /** Who goes first where tenants share what there is. */
  readonly priority: Priority;
}

/** What is in force of a tier. */
export interface TierStatus extends TierLimits {
  readonly name: TierName;
  /** Connections at once, where this runtime can carry no more than these: 6 on Workers. */
  readonly cappedConnections?: number;
}

/** @throws RangeError for a tier that there is not. */
export function limitsOf(tier: TierName): TierLimits {
  if (!Object.hasOwn(TIERS, tier)) {
    throw new RangeError(`The tiers are ${Object.keys(TIERS).join(", ")}, got ${JSON.stringify(tier)}`);
  }
  return TIERS[tier];
}

/** The priority of a tier; what is not said without one. */
export function priorityOf(tier: TierName | undefined): Priority {
  return tier === undefined ? "medium" : limitsOf(tier).priority;
}

/** A tier's row, and what the runtime makes of it. */
export function tierStatus(name: TierName, connectionsMax: number | undefined): TierStatus {
  const limits = limitsOf(name);
  const isCapped = connectionsMax !== undefined && connectionsMax < limits.maxConnections;
  return { name, ...limits, ...(isCapped ? { cappedConnections: connectionsMax } : undefined) };
}

/** What an error adds that a higher tier would have helped: `bounds` as the core packs those in force. */
export function remedyOf(tier: TierName, bounds: number): string {
  const [connections, concurrent] = [bounds & 0xffff, bounds >>> 16];
  const higher = tier === "ENTERPRISE" ? "" : " A higher tier has more.";
  return ` Tier ${tier}: ${connections} connections and ${concurrent} operations at once.${higher}`;
}
