// A driver whose operations somebody watches: the observer stands outside of the policies, and tells what they did.

import type { Circuit } from "./circuit.ts";
import type { SeawallOptions } from "./config/options.ts";
import { Driver } from "./driver.ts";
import { UNLOGGED, UNWATCHED } from "./layers.ts";
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
    const layers = this.layersOf(operation);
    const own = layers === 0 ? operation : { ...operation, layers };
    if (this.#isUnwatched(layers)) return super.run(own, attempt);
    return this.observer.run(own, attempt, (inner, watched) => super.run(inner, watched));
  }

  override call<T>(work: () => Promise<T>): Promise<T> {
    return this.run(CALL, work);
  }

  override async lease(operation: Operation): Promise<Lease> {
    if (operation.isObserved) return super.lease(operation);
    const layers = this.layersOf(operation);
    const own = layers === 0 ? operation : { ...operation, layers };
    if (this.#isUnwatched(layers)) return super.lease(own);
    return this.observer.lease(own, (inner) => super.lease(inner), this);
  }

  /** Whether the layers that would tell of an operation are off for it. */
  #isUnwatched(layers: number): boolean {
    return (layers & UNWATCHED) !== 0 || ((layers & UNLOGGED) !== 0 && this.observer.isForDetailsAlone);
  }
}
