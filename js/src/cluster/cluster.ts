// Several databases under one guard: asks the core where an operation goes, runs it there under that database's own
// policies, reports, and asks again. Decides nothing.

import { judgementOf } from "../attempt.ts";
import { CODES } from "../codes.ts";
import { judgeClass, OutcomeClass } from "../core.ts";
import type { Driver } from "../driver.ts";
import { LibsqlError, makeError, ResilienceError } from "../errors.ts";
import { LabelledCounts } from "../labels.ts";
import type { Attempt, AttemptContext, Guard, Lease, Operation, StatementKind } from "../operation.ts";
import { CLASS_BITS } from "../operation-bits.ts";
import { type Settings, settingsOf } from "../settings.ts";
import type { SlowQueries } from "../slow-queries.ts";
import type { OperationStatus } from "../status.ts";
import {
  ClusterHandle,
  Ending,
  endpointOf,
  hasChanged,
  isLast,
  Kind,
  kindOf,
  NO_FAILOVER,
  Place,
  REFUSED,
  routeOf,
  UNKNOWN,
} from "./cluster-core.ts";
import { statusOf } from "./describe.ts";
import { type ClientSettings, type Endpoint, otherEndpoint, ownEndpoint, type Way } from "./endpoint.ts";
import type { ClusterEvents } from "./events.ts";
import { Members } from "./members.ts";
import { checkDatabase, type DatabaseOptions } from "./options.ts";
import type { ClusterStatus } from "./status.ts";

const KIND_BITS = { read: 0, write: 1 << 4, unknown: 2 << 4 } as const;
const CODE_NUMBERS = new Map(CODES.map(({ name }, place) => [name, place + 1]));
const ANSWERED = judgeClass.bind(undefined, OutcomeClass.Success);
const LEFT = judgeClass.bind(undefined, OutcomeClass.Aborted);

/** What an attempt is told besides: the way to the database that it was given. Undefined is the client's own way. */
export interface RoutedContext extends AttemptContext {
  readonly endpoint: Way | undefined;
}

/** A lease at one database: its transaction stays there. */
export interface RoutedLease extends Lease {
  readonly guard: Guard;
  readonly endpoint: Way | undefined;
}

/** The databases of one client. */
export class Cluster implements Guard {
  readonly #settings: ClientSettings;
  readonly #text: Settings;
  readonly #members = new Members();
  readonly #events: ClusterEvents;
  readonly #labelled = new LabelledCounts();
  readonly #primary: Endpoint;
  #handle: ClusterHandle | undefined;
  /** Replicas are numbered in the order in which they came. */
  #named = 0;

  constructor(settings: ClientSettings, database: string, driver: Driver, events: ClusterEvents) {
    this.#settings = settings;
    this.#events = events;
    this.#text = settingsOf(settings.options, database, settings.platform);
    this.#primary = ownEndpoint(settings, database, driver);
    checkDatabase(this.#primary.name, settings.options.primary ?? {});
    this.#members.add(this.#primary, 0);
  }

  /**
   * Takes a database in.
   *
   * @throws RangeError when the name is taken; what {@link checkDatabase} and the settings throw.
   */
  register(name: string | undefined, url: string, options: DatabaseOptions): void {
    this.#named += name === undefined ? 1 : 0;
    const own = name ?? `replica-${this.#named}`;
    checkDatabase(own, options);
    this.#members.checkNew(own);
    const endpoint = otherEndpoint(this.#settings, own, url, options);
    this.#primary.driver.observer?.adopt(endpoint.driver.observer, options.authToken);
    const handle = this.#handle;
    const index = handle?.isAlive
      ? handle.add(endpoint.isWritable, endpoint.priority, this.#now())
      : this.#members.list().length;
    this.#members.add(endpoint, index);
    if (index < 0 || !handle?.isAlive) this.#handle = undefined;
  }

  /**
   * Lets a database go: nothing new is sent there. Resolves when what is out there has ended, or after `deadlineMs`.
   *
   * @throws RangeError when there is none of this name, or for the client's own.
   */
  async remove(name: string, deadlineMs?: number): Promise<void> {
    const endpoint = this.#members.get(name);
    if (endpoint === undefined) throw new RangeError(`There is no database named ${JSON.stringify(name)}`);
    if (endpoint === this.#primary) throw new RangeError("The client's own database cannot be removed");
    this.#members.remove(endpoint);
    this.#handle?.remove(endpoint.index);
    await endpoint.driver.drain(deadlineMs);
    endpoint.close();
  }

  /**
   * Shows another token: to one of the databases, or to all that show the client's, its own left aside.
   *
   * @throws RangeError when there is none of this name; TypeError for a token that cannot be used.
   */
  rotateAuthToken(token: string, name?: string): void {
    const endpoint = name === undefined ? undefined : this.#members.get(name);
    if (name !== undefined && endpoint === undefined) {
      throw new RangeError(`There is no database named ${JSON.stringify(name)}`);
    }
    const endpoints = endpoint === undefined ? this.#members.list().filter((one) => one.sharesToken) : [endpoint];
    for (const one of endpoints) one.rotateAuthToken(token);
    this.#primary.driver.observer?.learnSecret(token);
  }

  /** The driver of a database. */
  driverOf(name: string): Driver {
    const endpoint = this.#members.get(name);
    if (endpoint === undefined) throw new RangeError(`There is no database named ${JSON.stringify(name)}`);
    return endpoint.driver;
  }

  /** Whether any of the databases has work in flight. */
  isBusy(): boolean {
    return this.#members.list().some(({ driver }) => driver.isBusy());
  }

  /** Where each database stands. */
  status(): ClusterStatus {
    const { options } = this.#settings;
    return statusOf(this.#members.list(), this.#core(), this.#now(), options.loadBalancing);
  }

  /** What was counted of operations that their callers named. */
  operations(): OperationStatus[] {
    return this.#labelled.list();
  }

  /** Goes on with another driver for the client's own database, after the client closed. */
  reopen(driver: Driver): void {
    for (const endpoint of this.#members.list()) endpoint.reopen(driver);
  }

  /** Slow statements of all databases are noted in one place. */
  get slow(): SlowQueries | undefined {
    return this.#primary.driver.slow;
  }

  kindOf(sql: string): StatementKind {
    return this.#primary.driver.kindOf(sql);
  }

  run<T>(operation: Operation, attempt: Attempt<T>): Promise<T> {
    const { observer } = this.#primary.driver;
    if (observer !== undefined && !operation.isObserved) {
      return observer.run(operation, attempt, (own, watched) => this.run(own, watched));
    }
    if (operation.labels === undefined) return this.#run(operation, attempt);
    return this.#count(operation, this.#run({ ...operation, labels: undefined }, attempt));
  }

  async lease(operation: Operation): Promise<Lease> {
    const { observer } = this.#primary.driver;
    if (observer !== undefined && !operation.isObserved) {
      return observer.lease(operation, (own) => this.lease(own), this);
    }
    const core = this.#core();
    const { lease, endpoint, route } = await this.#route(operation, core, async (endpoint, own, route) => ({
      lease: await endpoint.driver.lease(own),
      endpoint,
      route,
    }));
    let isHeld = true;
    const { driver: guard, way } = endpoint;
    const routed: RoutedLease = {
      guard,
      endpoint: way,
      connection: lease.connection,
      get leftMs() {
        return lease.leftMs;
      },
      get lapsed() {
        return lease.lapsed;
      },
      get vanished() {
        return lease.vanished;
      },
      release: () => {
        lease.release();
        if (isHeld && route >= 0) core.report(route, LEFT(), 0, this.#now());
        isHeld = false;
      },
    };
    return routed;
  }

  async drain(deadlineMs?: number): Promise<void> {
    await Promise.all(
      this.#members.list().map(async (endpoint) => {
        await endpoint.driver.drain(deadlineMs);
        endpoint.close();
      }),
    );
  }

  async #run<T>(operation: Operation, attempt: Attempt<T>): Promise<T> {
    const core = this.#core();
    const { value, route } = await this.#route(operation, core, async (endpoint, own, route) => {
      const { way } = endpoint;
      if (way === undefined) return { value: await endpoint.driver.run(own, attempt), route };
      const routed: Attempt<T> = ({ signal, timeoutMs, attempt: number, connection }) => {
        const cx: RoutedContext = { signal, timeoutMs, attempt: number, connection, endpoint: way };
        return attempt(cx);
      };
      const value = await endpoint.driver.run(own, routed);
      this.#learnIndex(core, endpoint, way);
      return { value, route };
    });
    if (route >= 0) this.#tell(core, core.report(route, ANSWERED(), 0, this.#now()));
    return value;
  }

  /** Gives `work` one endpoint after the other, as the core says. Its route is -1 when no core watches. */
  async #route<T>(
    operation: Operation,
    core: ClusterHandle,
    work: (endpoint: Endpoint, own: Operation, route: number) => Promise<T>,
  ): Promise<T> {
    const { route: wish } = operation;
    const members = this.#members;
    const { options, platform } = this.#settings;
    const bits = CLASS_BITS[operation.class] | KIND_BITS[operation.kind];
    let step = core.begin(
      wish?.failover === false ? bits + NO_FAILOVER : bits,
      operation.timeoutMs ?? -1,
      members.allowed(wish),
      members.near(wish?.region ?? options.region ?? platform.colo()),
      Number(operation.floor?.asked ?? 0),
      this.#now(),
    );
    let failure: unknown;
    for (let last: Endpoint | undefined; ; ) {
      this.#tell(core, step);
      switch (kindOf(step)) {
        case Kind.Target: {
          const endpoint = members.at(endpointOf(step));
          if (last !== undefined) {
            const code = failure instanceof LibsqlError ? { code: failure.code } : {};
            this.#events.tell({ type: "failover", endpoint: last.name, to: endpoint.name, ...code });
          }
          const timeoutMs = core.read(Place.TimeoutMs);
          const route = routeOf(step);
          try {
            return await work(endpoint, ownOf(operation, timeoutMs, isLast(step)), route);
          } catch (error) {
            // Of an endpoint that could not be asked there is less to tell than of one that failed.
            if (failure === undefined || !isRefusal(error)) failure = error;
            const retryAtMs = (error as ResilienceError).retryAtMs ?? Number.POSITIVE_INFINITY;
            step = core.report(route, endedOf(error, operation), retryAtMs, this.#now());
          }
          last = endpoint;
          break;
        }
        case Kind.Refuse:
          throw refused(core.read(Place.Detail), operation);
        case Kind.Done:
          throw errorOf(core, operation, failure, this.#members.list());
        default:
          // The core has trapped. What was already tried has its own error; anything else goes to the client's own.
          if (failure !== undefined) throw failure;
          return work(this.#primary, operation, -1);
      }
    }
  }

  /** What it answered from is known to whoever waits for replicas; who is preferred for a read, the core decides. */
  #learnIndex(core: ClusterHandle, endpoint: Endpoint, { seen }: Way): void {
    if (seen.seen === endpoint.told) return;
    endpoint.told = seen.seen;
    core.saw(endpoint.index, Number(seen.seen));
  }

  /** The core, made when it is first needed: a Worker has no chance outside of a request. */
  #core(): ClusterHandle {
    const known = this.#handle;
    if (known?.isAlive) return known;
    const { platform } = this.#settings;
    const now = this.#now();
    const handle = new ClusterHandle(this.#text, platform.randomBits(), now);
    for (const endpoint of this.#members.list()) {
      endpoint.told = "";
      this.#members.add(endpoint, handle.add(endpoint.isWritable, endpoint.priority, now));
    }
    this.#handle = handle;
    return handle;
  }

  #tell(core: ClusterHandle, step: number): void {
    if (!hasChanged(step)) return;
    for (let change = core.takeChange(); change >= 0; change = core.takeChange()) {
      const { name } = this.#members.at(change & 31);
      this.#events.tell({ type: change >= 32 ? "ejected" : "restored", endpoint: name });
    }
  }

  async #count<T>(operation: Operation, running: Promise<T>): Promise<T> {
    const began = this.#now();
    let isFailure = true;
    try {
      const value = await running;
      isFailure = false;
      return value;
    } finally {
      if (operation.labels !== undefined) this.#labelled.record(operation.labels, isFailure, this.#now() - began);
    }
  }

  #now(): number {
    return this.#settings.platform.now();
  }
}

/** The operation as one endpoint is given it: while there is another, it is not tried twice at the same one. */
function ownOf(operation: Operation, timeoutMs: number, isLast: boolean): Operation {
  if (timeoutMs < 0 && isLast) return operation;
  const own = { ...operation };
  if (timeoutMs >= 0) own.timeoutMs = timeoutMs;
  if (!isLast) own.retry = false;
  return own;
}

/** How a target ended, as the core takes it. */
function endedOf(error: unknown, operation: Operation): number {
  const number = error instanceof ResilienceError ? CODE_NUMBERS.get(error.code) : undefined;
  if (number === undefined) return judgementOf(error, operation.factsOf);
  return REFUSED | number | ((error as ResilienceError).outcome === "unknown" ? UNKNOWN : 0);
}

function isRefusal(error: unknown): boolean {
  return error instanceof ResilienceError && error.origin === "policy" && error.outcome === "not_executed";
}

function refused(code: number, operation: Operation): ResilienceError {
  const { name, message, origin, retry } = CODES[code - 1] as (typeof CODES)[number];
  return makeError(name, message, { origin, retry, outcome: "not_executed", operationName: operation.name });
}

/** The error of a route that ended without a value. */
function errorOf(core: ClusterHandle, operation: Operation, failure: unknown, members: readonly Endpoint[]): unknown {
  const ending = core.read(Place.Detail);
  const retryAtMs = core.read(Place.RetryAtMs);
  if (ending === Ending.AsReported) {
    const isOpen = failure instanceof ResilienceError && failure.code === "CIRCUIT_OPEN";
    if (isOpen && retryAtMs !== Number.POSITIVE_INFINITY) failure.retryAtMs = retryAtMs;
    return failure;
  }
  const attempts = core.read(Place.Targets);
  const isLate = ending === Ending.Late;
  const code = isLate ? "DEADLINE_EXCEEDED" : "RETRIES_EXHAUSTED";
  const { what, remedy, origin, retry } = CODES[(CODE_NUMBERS.get(code) as number) - 1] as (typeof CODES)[number];
  const timeout = core.read(Place.TimeMs);
  const told = isLate
    ? `${attempts} of ${members.length} databases did not answer within ${timeout} ms`
    : `${attempts} of ${members.length} databases failed`;
  const outcome = failure instanceof ResilienceError ? failure.outcome : "not_executed";
  const facts = { origin, retry, outcome, cause: failure, attempts, timeout, operationName: operation.name };
  return makeError(code, `${what} ${told}. ${remedy}`, facts);
}
