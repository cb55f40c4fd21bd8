// What a client shows to its database, and how that changes while it runs.

import type { Authorization } from "./hrana/pipeline.ts";
import { kindOf } from "./store/checks.ts";

/** Where a token comes from if it is asked for. */
export type ReadToken = () => string | Promise<string>;

/**
 * The value of the `authorization` header, for every request anew: whatever runs when it changes goes on, with the new
 * one from its next request on. Nothing that is printed of it holds a token.
 */
export class Credentials {
  #authorization: string | undefined;
  readonly #read: ReadToken | undefined;
  /** What a pipeline asks before each request. */
  readonly authorize: Authorization;

  constructor(authorization: string | undefined, read: ReadToken | undefined) {
    this.#authorization = authorization;
    this.#read = read;
    this.authorize = read === undefined ? () => this.#authorization : async () => `Bearer ${await read()}`;
  }

  /**
   * Uses another token from now on.
   *
   * @throws TypeError when it is none, or when the token is asked for and so changes by itself. Nothing has changed then.
   */
  rotate(token: string): void {
    if (typeof token !== "string") throw new TypeError(`rotateAuthToken needs a token as text, got ${kindOf(token)}`);
    const trimmed = token.trim();
    if (trimmed === "" || /[^\x21-\x7e]/.test(trimmed)) {
      throw new TypeError("rotateAuthToken needs a token: printable ASCII without spaces; this one is not");
    }
    if (this.#read !== undefined) {
      throw new TypeError("rotateAuthToken: authToken is a function here, which is asked for every request already");
    }
    this.#authorization = `Bearer ${trimmed}`;
  }
}
