// How the SDK hears of a provider: its interface of an emitter, without the SDK.

import type {
  AnyProviderEvent,
  EventContext,
  EventHandler,
  Logger,
  ProviderEventEmitter,
} from "@openfeature/server-sdk";

/** Events of one provider. What a handler throws is the logger's. */
export class Emitter implements ProviderEventEmitter<AnyProviderEvent> {
  readonly #handlers = new Map<AnyProviderEvent, EventHandler[]>();
  #logger: Logger | undefined;

  emit(event: AnyProviderEvent, context?: EventContext): void {
    // A copy: a handler may remove itself.
    for (const handler of this.getHandlers(event)) {
      this.#run(handler, context).catch((error) => this.#logger?.error("A handler of an event failed:", error));
    }
  }

  addHandler(event: AnyProviderEvent, handler: EventHandler): void {
    this.#handlers.set(event, [...this.getHandlers(event), handler]);
  }

  /** Takes a handler away once, if it was added several times. */
  removeHandler(event: AnyProviderEvent, handler: EventHandler): void {
    const handlers = this.getHandlers(event);
    const at = handlers.lastIndexOf(handler);
    if (at >= 0) handlers.splice(at, 1);
    this.#handlers.set(event, handlers);
  }

  removeAllHandlers(event?: AnyProviderEvent): void {
    if (event === undefined) this.#handlers.clear();
    else this.#handlers.delete(event);
  }

  getHandlers(event: AnyProviderEvent): EventHandler[] {
    return [...(this.#handlers.get(event) ?? [])];
  }

  setLogger(logger: Logger): this {
    this.#logger = logger;
    return this;
  }

  async #run(handler: EventHandler, context: EventContext | undefined): Promise<void> {
    await handler(context as Parameters<EventHandler>[0]);
  }
}
