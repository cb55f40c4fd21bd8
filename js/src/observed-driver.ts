// A driver whose operations somebody watches: the observer stands outside of the policies, and tells what they did.

import type { Circuit } from "./circuit.ts";
import type { SeawallOptions } from "./config/options.ts";
import { Driver } from "./driver.ts";
import type { Attempt, Connections, Lease, Operation } from "./operation.ts";
import type { Platform } from "./platform/platform.ts";
import { CALL } from "./short-path.ts";
import type { SlowQueryListener } from "./slow-queries.ts";
import type { Observer } from "./telemetry/observer.ts";

/** A driver whose operations somebody watches. Without anybody, none of this is on their path. */
export class ObservedDriver extends Driver {
  readonly #observer: Observer;

  constructor(
    options: SeawallOptions,
    database: string,
    platform: Platform,
    circuit: Circuit,
    connections: Connections | undefined,
    observer: Observer,
  ) {
    super(options, database, platform, circuit, connections);
    this.#observer = observer;
  }

  override get observer(): Observer {
    return this.#observer;
  }

  protected override get onSlowQuery(): SlowQueryListener {
    const own = super.onSlowQuery;
    return (event) => {
      this.observer.slow(event);
      return own?.(event);
    };
  }

  override run<T>(operation: Operation, attempt: Attempt<T>): Promise<T> {
    if (operation.isObserved) return super.run(operation, attempt);
    return this.observer.run(operation, attempt, (own, watched) => super.run(own, watched));
  }

  override call<T>(work: () => Promise<T>): Promise<T> {
    return this.run(CALL, work);
  }

  override async lease(operation: Operation): Promise<Lease> {
    if (operation.isObserved) return super.lease(operation);
    return this.observer.lease(operation, (own) => super.lease(own), this);
  }
}
