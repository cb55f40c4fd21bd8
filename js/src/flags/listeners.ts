// Who hears of what happens to flags.

/** Most listeners of one event. */
const LISTENERS_MAX = 100;

/** Listeners by event. */
export class Listeners<Events extends object> {
  readonly #byEvent: ReadonlyMap<keyof Events, Set<(told: never) => unknown>>;

  constructor(events: readonly (keyof Events & string)[]) {
    this.#byEvent = new Map(events.map((event) => [event, new Set()]));
  }

  /**
   * Returns what ends it.
   *
   * @throws TypeError for another event or what is no function, RangeError for one too many.
   */
  add<E extends keyof Events>(event: E, listener: (told: Events[E]) => unknown): () => void {
    const listeners = this.#byEvent.get(event);
    if (typeof listener !== "function" || listeners === undefined) {
      const events = [...this.#byEvent.keys()].map((event) => JSON.stringify(event)).join(", ");
      throw new TypeError(`flags.on(event, listener): the event is one of ${events}, and the listener a function`);
    }
    if (listeners.size >= LISTENERS_MAX) throw new RangeError(`${LISTENERS_MAX} listeners are the most`);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }

  hears(event: keyof Events): boolean {
    return (this.#byEvent.get(event)?.size ?? 0) > 0;
  }

  /** Tells all of an event. What a listener throws is dropped. */
  tell<E extends keyof Events>(event: E, told: Events[E]): void {
    for (const listener of this.#byEvent.get(event) ?? []) {
      try {
        Promise.resolve((listener as (told: Events[E]) => unknown)(told)).catch(() => {});
      } catch {
        // It is the application's own.
      }
    }
  }
}
