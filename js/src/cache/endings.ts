// How a load or a write ended, in the core's words.

import { judgementOf } from "../attempt.ts";
import { judgeClass, OutcomeClass } from "../core.ts";
import { failureOf, ResilienceError } from "../errors.ts";
import { Written } from "./handle.ts";

/** Refusals of policies that say nothing of the database: the caller left, or closed the client. */
const CALLERS: ReadonlySet<string> = new Set(["ABORTED", "CLIENT_CLOSED"]);

/** A judgement that blames nobody. */
export const NOTHING_TO_SAY = OutcomeClass.Aborted;

/** What the core makes of a load's error. A policy that refused or gave up did so because the database did not answer. */
export function judgementFor(error: unknown): number {
  if (!(error instanceof ResilienceError)) return judgementOf(error, () => NOT_THE_DATABASE);
  return CALLERS.has(error.code) ? NOTHING_TO_SAY : judgeClass(OutcomeClass.Timeout);
}

/** An error without facts, as a `TypeError` of an argument, is not the database's. */
const NOT_THE_DATABASE = { status: 0, code: "ABORTED", sent: false };

/** What a write has changed that ended with `error`. In doubt, something. */
export function writtenDespite(error: unknown, isRepeated: boolean): Written {
  if (error instanceof ResilienceError) {
    if (error.outcome === "unknown") return Written.Unknown;
    return isRepeated ? Written.Something : Written.Nothing;
  }
  const failure = failureOf(error);
  if (failure === undefined) return Written.Something;
  if (!failure.sent && !isRepeated) return Written.Nothing;
  // The database answered: what it refused it has undone, except for `OR FAIL`.
  const isAnswered = failure.status >= 200 && failure.status < 300 && failure.code !== "BODY_LOST";
  return isAnswered ? Written.Something : Written.Unknown;
}
