// Retry policies of single operations, by the numbers that the core gave them.

import type { OperationRetry, RetryOptions } from "./config/options.ts";

/** As many as the core keeps beside the client's own. */
const POLICIES_MAX = 15;

/** The policies that one driver was asked for. */
export class RetryPolicies {
  readonly #numbers = new Map<string, number>();
  readonly #policies: RetryOptions[] = [];

  /**
   * The number of a policy. `add` tells the core of one that it does not know yet.
   *
   * @throws RangeError at the sixteenth policy, and what `add` throws of one that cannot be used.
   */
  numberOf(retry: OperationRetry, add: (retry: RetryOptions) => number): number {
    const policy: RetryOptions = typeof retry === "object" ? retry : { attempts: retry === false ? 1 : retry };
    const key = JSON.stringify(policy);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    if (this.#policies.length >= POLICIES_MAX) {
      throw new RangeError(`One client has at most ${POLICIES_MAX} retry policies beside its own`);
    }
    const number = add(policy);
    this.#policies.push({ ...policy });
    this.#numbers.set(key, number);
    return number;
  }

  /** Tells a new core of all of them, in order, so that they keep their numbers. */
  teach(add: (retry: RetryOptions) => number): void {
    for (const policy of this.#policies) add(policy);
  }
}
