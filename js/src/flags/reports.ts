// What flags tell of themselves: why somebody gets what it gets, whom a change moves, what is wrong with a document.

import type { JsonValue } from "./context.ts";
import type { ErrorCode, Reason, Source } from "./decision.ts";

/** Definitions, or variables, that were refused. */
export class FlagsRefusedError extends Error {
  override readonly name = "FlagsRefusedError";
  readonly code = "FLAGS_REFUSED";
  /** All that is wrong, each with its place: `flags.new-checkout.rules[0].rollout: …`. */
  readonly problems: readonly string[];

  constructor(cause: unknown) {
    const problems = (cause instanceof Error ? cause.message : String(cause)).split("\n");
    super(`These flags cannot be taken, and those before hold on: ${problems.join("; ")}`);
    this.problems = problems;
  }
}

/** Why a flag is what it is for somebody. */
export interface Explanation {
  readonly flag: string;
  /** The edition of the document. */
  readonly revision: number;
  readonly variant?: string;
  /** `null` if the caller's code says. */
  readonly value: JsonValue;
  readonly reason: Reason;
  /** The reason, if the definitions were not stale. */
  readonly underlying?: Reason;
  readonly errorCode?: ErrorCode;
  readonly by?: Source;
  /** What was looked at, in order. */
  readonly steps: readonly ({ readonly step: string } & { readonly [fact: string]: JsonValue })[];
}

/** What a change does to one flag. */
export interface Moved {
  readonly flag: string;
  /** How many were asked about. */
  readonly sample: number;
  /** Who was not served by a rule, and is now. */
  readonly enrolled: number;
  /** Who was served by a rule, and is not any more. */
  readonly dropped: number;
  /** Who is served by a rule as before, and gets something else. */
  readonly switched: number;
  /** Who is served by no rule as before, and gets something else. */
  readonly changed: number;
}
