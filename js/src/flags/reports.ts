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
  /** Whether users were split as the rules say; of a flag that splits. */
  readonly sampleRatio?: SampleRatio;
}

/** Whether users were split between variants as the rules of a flag say. */
export interface SampleRatio {
  /** `mismatch` where chance would do that, or worse, in less than one of a thousand; `notEnough` below five users for a variant. */
  readonly verdict: "match" | "mismatch" | "notEnough";
  /** How likely chance is to do that, or worse. */
  readonly pValue: number;
  readonly chiSquare: number;
  /** Degrees of freedom. */
  readonly degrees: number;
  /** Users of the sample, by variant: those that there are, and those that there should be. */
  readonly observed: Readonly<Record<string, number>>;
  readonly expected: Readonly<Record<string, number>>;
}

/** A flag whose users were not split as its rules say. */
export interface SplitMismatch {
  readonly flag: string;
  /** How likely chance is to do that, or worse, over all rules. */
  readonly pValue: number;
  /** Its rules, the least likely first; at most ten. */
  readonly rules: readonly {
    /** Its `id`, or `#` and its place. */
    readonly rule: string;
    readonly pValue: number;
    /** Users of the sample, by variant: those that there are, and those that there should be. */
    readonly observed: Readonly<Record<string, number>>;
    readonly expected: Readonly<Record<string, number>>;
  }[];
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
