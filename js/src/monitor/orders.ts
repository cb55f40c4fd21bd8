// What this isolate has seen of what operators ordered, for the application.

/** An order's name. Who has a token is told to nobody. */
export type OrderName = "config" | "flags" | "kill" | "phase" | "control" | "tenants";

/** One order, as this isolate has seen it. */
export interface SeenOrder {
  /** From 1; a newer order has a higher one, and none is seen again that is older. */
  version: number;
  /** Who gave it, and why. */
  by: string;
  reason: string;
  /** What shall hold. */
  value: Record<string, unknown>;
}

/** The orders that were seen so far, by name. */
export type SeenOrders = Readonly<Partial<Record<OrderName, SeenOrder>>>;

/** Hears of an order that is newer than what was seen here before. What it throws, or rejects with, is dropped. */
export type OrderListener = (name: OrderName, order: SeenOrder) => unknown;

/** Hears when what was seen of the orders was all that there is, in milliseconds since the epoch. As {@link OrderListener}. */
export type VerifiedListener = (atMs: number) => unknown;

/** Most listeners. */
const LISTENERS_MAX = 100;

/** Tells listeners of newer orders, each version once. */
export class OrderWatch {
  readonly #read: () => string;
  readonly #confirmedAt: () => number;
  readonly #verified = new Set<VerifiedListener>();
  #verifiedAt = 0;
  readonly #listeners = new Set<OrderListener>();
  readonly #told = new Map<OrderName, number>();

  /**
   * @param read The orders that were seen so far, as JSON.
   * @param confirmedAt When those were last known to be all that there is, in milliseconds since the epoch; 0 for never.
   */
  constructor(read: () => string, confirmedAt: () => number) {
    this.#read = read;
    this.#confirmedAt = confirmedAt;
  }

  seen(): SeenOrders {
    return JSON.parse(this.#read()) as SeenOrders;
  }

  /**
   * Tells `listener` of orders that are seen from now on.
   *
   * @returns Ends it.
   * @throws TypeError when it is no function, RangeError at the hundred-and-first.
   */
  listen(listener: OrderListener): () => void {
    if (typeof listener !== "function") throw new TypeError('monitor.on("order", listener): give it a function');
    if (this.#listeners.size >= LISTENERS_MAX && !this.#listeners.has(listener)) {
      throw new RangeError(`${LISTENERS_MAX} listeners of orders are the most. Listen once, where the monitor is made`);
    }
    // What was not listened for is not told afterwards.
    if (this.#listeners.size === 0) this.#newer();
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Tells `listener` each time that it was found out. Returns the end of it. @throws As {@link OrderWatch.listen}. */
  listenVerified(listener: VerifiedListener): () => void {
    if (typeof listener !== "function") throw new TypeError('monitor.on("verified", listener): give it a function');
    if (this.#verified.size >= LISTENERS_MAX) throw new RangeError(`${LISTENERS_MAX} listeners are the most`);
    const own: VerifiedListener = (atMs) => listener(atMs);
    this.#verified.add(own);
    return () => {
      this.#verified.delete(own);
    };
  }

  /** Tells of what is newer than at the last time, and then that there is nothing else. Never throws. */
  tell(): void {
    if (this.#listeners.size > 0) {
      for (const [name, order] of this.#newer()) {
        for (const listener of this.#listeners) heard(() => listener(name, structuredClone(order)));
      }
    }
    if (this.#verified.size === 0) return;
    const atMs = this.#confirmedAt();
    if (atMs <= this.#verifiedAt) return;
    this.#verifiedAt = atMs;
    for (const listener of this.#verified) heard(() => listener(atMs));
  }

  #newer(): [OrderName, SeenOrder][] {
    const all = Object.entries(this.seen()) as [OrderName, SeenOrder][];
    const newer = all.filter(([name, { version }]) => version > (this.#told.get(name) ?? 0));
    for (const [name, { version }] of newer) this.#told.set(name, version);
    return newer;
  }
}

/** Each listener has a copy of its own. */
function heard(tell: () => unknown): void {
  try {
    Promise.resolve(tell()).catch(() => {});
  } catch {
    // It is the application's own.
  }
}
