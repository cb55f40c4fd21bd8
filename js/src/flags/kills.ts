// What is off, and who said so.

/** Keys of what is off; `true` for everything. */
export type Killed = readonly string[] | true;

/** What is off by orders, and what this isolate has turned off itself. */
export class Kills {
  readonly ordered: Killed;
  readonly own: Killed;

  constructor(ordered: Killed = [], own: Killed = []) {
    this.ordered = ordered;
    this.own = own;
  }

  /** What an order says: all, or these. */
  withOrder({ all, flags = [] }: Record<string, unknown>): Kills {
    return new Kills(all === true ? true : (flags as readonly string[]), this.own);
  }

  withOwn(keys: Killed): Kills {
    return new Kills(this.ordered, keys === true || [...keys]);
  }

  /** What is off, whoever said so, as the engine takes it. */
  get all(): Killed {
    const { ordered, own } = this;
    if (ordered === true || own === true) return true;
    // What is no list is refused by the core, which says what one is.
    if (!Array.isArray(ordered)) return ordered;
    return Array.isArray(own) ? [...ordered, ...own] : own;
  }
}
