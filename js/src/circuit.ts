// What is told of the circuit: its changes to listeners, and by whose hand it is held.

import { CHANGES } from "./codes.ts";
import type { Platform } from "./platform/platform.ts";
import { type BreakerState, type HandOnBreaker, STATES } from "./status.ts";

/** Names of the circuit's events: one for each state that it can enter. */
export type CircuitEventName = "open" | "close" | "halfOpen";

/** Why the circuit changed. */
export type CircuitChange = (typeof CHANGES)[number] | "disabled" | "enabled" | "core_replaced" | "unknown";

/** One change of the circuit. */
export interface CircuitEvent {
  type: CircuitEventName;
  /** Host and path of the database, or the guard's name. */
  database: string;
  from: BreakerState;
  to: BreakerState;
  reason: CircuitChange;
  /** When it happened, in milliseconds since the epoch. */
  atMs: number;
}

/** Told of a change after it has happened. What it returns is awaited by nobody; what it throws is counted. */
export type CircuitListener = (event: CircuitEvent) => unknown;

/** Why an operator does something, and who it is. */
export interface Why {
  reason?: string;
  by?: string;
}

const EVENTS: Record<BreakerState, CircuitEventName> = { CLOSED: "close", HALF_OPEN: "halfOpen", OPEN: "open" };
/** More listeners of one event than this are a leak: they belong beside the client, not into a request. */
const LISTENERS_MAX = 100;
/** What operators did is remembered this often. */
const HANDS_MAX = 50;
const WORDS_MAX = 200;

/** The listeners and the operators' hands of one database. Outlives a core that is replaced, and a reconnection. */
export class Circuit {
  readonly #listeners: Record<CircuitEventName, Set<CircuitListener>> = {
    open: new Set(),
    close: new Set(),
    halfOpen: new Set(),
  };
  readonly #hands: HandOnBreaker[] = [];
  readonly #database: string;
  readonly #platform: Platform;
  /** Whether the circuit was last seen in any other state than closed. A field, because every call asks. */
  isTroubled = false;
  /** What listeners know. */
  #told: BreakerState = "CLOSED";
  #forced: "OPEN" | "CLOSED" | undefined;
  #isDisabled = false;
  #failures = 0;

  constructor(database: string, platform: Platform) {
    this.#database = database;
    this.#platform = platform;
  }

  /** What the circuit is held in by hand. */
  get forced(): "OPEN" | "CLOSED" | undefined {
    return this.#forced;
  }

  /** Whether it was turned off while it ran. */
  get isDisabled(): boolean {
    return this.#isDisabled;
  }

  /** What operators did, oldest first: the last 50. */
  get hands(): readonly HandOnBreaker[] {
    return this.#hands;
  }

  /** How often a listener threw or rejected. */
  get listenerFailures(): number {
    return this.#failures;
  }

  /** @throws RangeError at the hundred-and-first listener of one event. */
  on(type: CircuitEventName, listener: CircuitListener): void {
    const listeners = this.#of(type);
    if (listeners.size >= LISTENERS_MAX && !listeners.has(listener)) {
      throw new RangeError(
        `${LISTENERS_MAX} listeners of "${type}" are the most. Listen once, where the client is made, not in each request`,
      );
    }
    listeners.add(listener);
  }

  off(type: CircuitEventName, listener: CircuitListener): void {
    this.#of(type).delete(listener);
  }

  /** Notes what an operator did. */
  hand(action: HandOnBreaker["action"], why: string | Why | undefined): void {
    const { reason, by } = typeof why === "string" ? { reason: why, by: undefined } : (why ?? {});
    const hand: HandOnBreaker = { action, atMs: this.#platform.now() };
    if (reason !== undefined) hand.reason = String(reason).slice(0, WORDS_MAX);
    if (by !== undefined) hand.by = String(by).slice(0, WORDS_MAX);
    if (this.#hands.length >= HANDS_MAX) this.#hands.shift();
    this.#hands.push(hand);
    if (action === "OPEN" || action === "CLOSED") this.#forced = action;
    else if (action === "RELEASED" || action === "RESET") this.#forced = undefined;
    else this.#isDisabled = action === "DISABLED";
  }

  /** Tells of a change as the core packs it. */
  changed(packed: number, atMs: number): void {
    this.#tell(STATES[(packed >> 2) & 3] as BreakerState, CHANGES[packed >> 4] ?? "unknown", atMs);
  }

  /** Tells of a state that was entered without a change of the core's own. */
  found(state: BreakerState, reason: CircuitChange): void {
    this.#tell(state, reason, this.#platform.now());
  }

  /** Each state is told once, however often it is reported: a replaced core enters it again. */
  #tell(to: BreakerState, reason: CircuitChange, atMs: number): void {
    const from = this.#told;
    if (from === to) return;
    this.#told = to;
    this.isTroubled = to !== "CLOSED";
    const type = EVENTS[to];
    const event: CircuitEvent = { type, database: this.#database, from, to, reason, atMs };
    for (const listener of this.#listeners[type]) this.#call(listener, event);
  }

  /** In a microtask of its own: a listener may ask the core, which is in the middle of an operation now. */
  #call(listener: CircuitListener, event: CircuitEvent): void {
    const told = Promise.resolve()
      .then(() => listener({ ...event }))
      .then(
        () => {},
        () => {
          this.#failures += 1;
        },
      );
    // A listener that sends the event somewhere may need longer than the operation that brought it.
    this.#platform.waitUntil(told);
  }

  #of(type: CircuitEventName): Set<CircuitListener> {
    const listeners = Object.hasOwn(this.#listeners, type) ? this.#listeners[type] : undefined;
    if (listeners === undefined) {
      throw new RangeError(`The circuit's events are "open", "close" and "halfOpen", got ${JSON.stringify(type)}`);
    }
    return listeners;
  }
}
