// The same protection for any object with methods that return promises: ioredis, pg, mongodb, Prisma, D1.

import type { OperationOptions, SeawallOptions } from "../config/options.ts";
import { pluggedIn } from "../config/plugins.ts";
import { type Controls, controlsOf } from "../controls.ts";
import type { Driver } from "../driver.ts";
import type { Failure } from "../errors.ts";
import { createGuard } from "../guard.ts";
import { HEALTH_CHECK, type Operation, withOptions } from "../operation.ts";
import { type DatabaseType, type Facts, profileOf } from "./profiles.ts";

/** How an object is protected. */
export interface ProtectOptions extends Omit<SeawallOptions, "authToken" | "compression" | "busyTimeout"> {
  /** Names the database in events and in the shared state. Default: the type. */
  name?: string;
  /** Which kind of client it is: says which methods ask the database, and whose fault an error is. Default `"other"`. */
  type?: DatabaseType;
  /**
   * Methods that are guarded, for a client that no type describes. Without it, a method is guarded if it is an `async`
   * function, or from its second call on if the first one returned a promise.
   */
  methods?: readonly string[];
  /** Methods that are called directly. Added to those that the type names. */
  unguarded?: readonly string[];
  /** Methods and properties whose objects are protected in turn. Added to those that the type names. */
  chains?: readonly string[];
  /** Methods that may be called again after a lost answer, because calling them twice is as good as once. */
  repeatable?: readonly string[];
  /**
   * Asks whether the client still works, such as `() => redis.ping()`: before a call whose connection of the pool was idle
   * for longer than `validationInterval`, and to set up connections ahead of demand, both with `connectionPool.enabled`
   * only; and for `healthCheck()`, for which most types know one of their own.
   */
  ping?: () => Promise<unknown>;
  /** Says whether an error counts against the database; without it, or when it returns undefined, the type decides. */
  isFailure?: (error: unknown) => boolean | undefined;
}

/** Where {@link controlsOfProtected} finds the controls. */
const CONTROLS = Symbol.for("seawall.Controls");
const RAW = Symbol.for("seawall.Raw");

/** Every EventEmitter has them, and none of them asks the database. */
const EMITTER_METHODS = [
  ...["on", "once", "off", "emit", "addListener", "removeListener", "removeAllListeners", "prependListener"],
  ...["prependOnceListener", "eventNames", "listenerCount", "listeners", "rawListeners", "setMaxListeners"],
  ...["getMaxListeners"],
];
/** What language and runtime ask of any object. */
const OBJECT_METHODS = [
  ...["constructor", "toString", "toLocaleString", "valueOf", "toJSON", "hasOwnProperty", "isPrototypeOf"],
  ...["propertyIsEnumerable", "then", "catch", "finally"],
];

/**
 * Puts the policies around an object's asynchronous methods; everything else of it is as it was.
 *
 * A guarded method returns a promise: of its own result, rejected with its own error unchanged, or rejected with a
 * `ResilienceError` when a policy refused the call or its deadline passed. There is no pool unless
 * `connectionPool.enabled` is true, because such clients have their own; a call is made again only if its method is
 * `repeatable`. The object is not changed, and its methods run with the object itself as `this`.
 *
 * @throws TypeError when `target` is neither an object nor a function.
 */
export function protect<T extends object>(target: T, options: ProtectOptions = {}): T {
  return protectBy(target, options, guardFor(options));
}

/** The policies that {@link protect} makes. */
export function guardFor(options: ProtectOptions): Driver {
  const { type, name, methods, unguarded, chains, repeatable, isFailure, ping, ...own } = options;
  return guardOf(own, name ?? type ?? "other", ping);
}

/** Like {@link protect}, with policies that are there already. */
export function protectBy<T extends object>(target: T, options: ProtectOptions, guard: Driver): T {
  if ((typeof target !== "object" && typeof target !== "function") || target === null) {
    throw new TypeError(`Only an object can be protected, got ${target === null ? "null" : typeof target}`);
  }
  return new Protection(options, guard, target).wrap(target, true);
}

/** Policies as they suit a client that has a pool of its own. */
export function guardOf(options: SeawallOptions, name: string, ping?: ProtectOptions["ping"]): Driver {
  const { options: own } = pluggedIn(options);
  const settings = { ...own, connectionPool: { enabled: false, ...own.connectionPool } };
  if (ping === undefined) return createGuard(settings, name);
  const connections = { setUp: ping, check: async () => ping().then(() => true) };
  const guard = createGuard(settings, name, undefined, undefined, connections);
  if (options.connectionPool?.enabled) guard.startWarm();
  return guard;
}

/** Seawall's own surface of an object that {@link protect} returned; undefined for any other. */
export function controlsOfProtected(object: object): Controls | undefined {
  return (object as { [CONTROLS]?: Controls })[CONTROLS];
}

/** The object that {@link protect} was given; any other object is returned as it is. */
export function unprotected<T extends object>(object: T): T {
  return (object as { [RAW]?: T })[RAW] ?? object;
}

/** One call to {@link protect}, for the object and for those that it hands out. */
class Protection {
  readonly #guard: Driver;
  readonly #controls: Controls;
  readonly #methods: ReadonlySet<string> | undefined;
  readonly #unguarded: ReadonlySet<string>;
  readonly #chains: ReadonlySet<string>;
  readonly #repeatable: ReadonlySet<string>;
  readonly #guardedByType: ReadonlySet<string>;
  readonly #isEveryMethodGuarded: boolean;
  readonly #areObjectsChained: boolean;
  readonly #factsOf: (error: unknown) => Failure | undefined;
  /** Methods that returned a promise once. */
  readonly #learnt = new WeakSet<Method>();
  /** Protected objects by what they protect, so that one object is one object still. */
  readonly #wrapped = new WeakMap<object, object>();

  constructor(options: ProtectOptions, guard: Driver, target: object) {
    const profile = profileOf(options.type ?? "other");
    this.#guard = guard;
    this.#methods = options.methods === undefined ? undefined : new Set(options.methods);
    this.#unguarded = new Set([
      ...EMITTER_METHODS,
      ...OBJECT_METHODS,
      ...profile.unguarded,
      ...(options.unguarded ?? []),
    ]);
    this.#chains = new Set([...profile.chains, ...(options.chains ?? [])]);
    this.#repeatable = new Set(options.repeatable);
    this.#guardedByType = new Set(profile.guarded);
    this.#isEveryMethodGuarded = profile.isEveryMethodGuarded;
    this.#areObjectsChained = profile.areObjectsChained;
    this.#factsOf = factsBy(options.isFailure, profile.facts);
    const ping = options.ping ?? profile.pingOf(target);
    const check = { ...HEALTH_CHECK, factsOf: this.#factsOf };
    this.#controls = controlsOf(() => guard, [], options.type, ping && (() => guard.run(check, async () => ping())));
  }

  wrap<T extends object>(target: T, isRoot = false): T {
    const known = this.#wrapped.get(target);
    if (known !== undefined) return known as T;
    const wrappers = new Map<PropertyKey, { of: unknown; wrapper: unknown }>();
    const get = (_: object, key: PropertyKey) => {
      if (key === RAW) return target;
      if (key === CONTROLS && isRoot) return this.#controls;
      // Getters and methods see the object itself: private fields are not to be found on anything else.
      const value: unknown = Reflect.get(target, key, target);
      if (!isObject(value)) return value;
      const cached = wrappers.get(key);
      if (cached?.of === value) return cached.wrapper;
      const wrapper =
        typeof value === "function"
          ? this.#method(target, key, value as Method, proxy, isRoot)
          : this.#property(key, value);
      if (wrapper !== value) wrappers.set(key, { of: value, wrapper });
      return wrapper;
    };
    // The proxy stands before an empty object: before a frozen one it could hand out nothing but what is frozen.
    const shadow = typeof target === "function" ? () => {} : {};
    const proxy = new Proxy(shadow, {
      get,
      set: (_, key, value) => Reflect.set(target, key, value, target),
      has: (_, key) => key === RAW || Reflect.has(target, key),
      deleteProperty: (_, key) => Reflect.deleteProperty(target, key),
      ownKeys: () => Reflect.ownKeys(target),
      getPrototypeOf: () => Reflect.getPrototypeOf(target),
      getOwnPropertyDescriptor: (_, key) => {
        const own = Reflect.getOwnPropertyDescriptor(target, key);
        return own === undefined ? undefined : { ...own, configurable: true };
      },
      defineProperty: (_, key, descriptor) => Reflect.defineProperty(target, key, descriptor),
      apply: (_, self, args) => this.#call("", target as Method, self, args, proxy, target, isRoot),
    }) as T;
    this.#wrapped.set(target, proxy);
    return proxy;
  }

  #property(key: PropertyKey, value: object): object {
    if (typeof key !== "string" || key.startsWith("_")) return value;
    return this.#chains.has(key) || this.#areObjectsChained ? this.wrap(value) : value;
  }

  #method(target: object, key: PropertyKey, method: Method, proxy: object, isRoot: boolean): Method {
    if (key === "constructor") return method;
    if (typeof key === "symbol") return method.bind(target);
    return (...args) => this.#call(String(key), method, target, args, proxy, target, isRoot);
  }

  #call(
    key: string,
    method: Method,
    self: unknown,
    args: unknown[],
    proxy: object,
    target: object,
    isRoot: boolean,
  ): unknown {
    // What was handed out protected comes back as it is: a client knows only its own objects.
    const own = args.map(laidBare);
    if (this.#isGuarded(key, method, isRoot)) return this.#guarded(key, () => method.apply(self, own), target, proxy);
    const result = method.apply(self, own);
    if (result === target) return proxy;
    if (this.#chains.has(key) && isObject(result)) return isThenable(result) ? this.#later(result) : this.wrap(result);
    if (this.#unguarded.has(key) || this.#methods !== undefined || !isThenable(result)) return result;
    this.#learnt.add(method);
    return this.#counted(key, result, target, proxy);
  }

  #isGuarded(key: string, method: Method, isRoot: boolean): boolean {
    if (this.#methods?.has(key)) return true;
    if (this.#unguarded.has(key) || this.#methods !== undefined) return false;
    if (this.#guardedByType.has(key)) return true;
    if (this.#chains.has(key) && !isAsync(method)) return false;
    return (this.#isEveryMethodGuarded && isRoot) || isAsync(method) || this.#learnt.has(method);
  }

  async #guarded(key: string, call: () => unknown, target: object, proxy: object): Promise<unknown> {
    const isRepeatable = this.#repeatable.has(key);
    const operation: Operation = {
      class: "query",
      kind: isRepeatable ? "read" : "unknown",
      name: key === "" ? "call" : key,
      retry: isRepeatable ? undefined : false,
      factsOf: this.#factsOf,
      handsOnErrors: "all",
    };
    const result = await this.#guard.run(withOptions(operation, OPTIONS.current), async () => call());
    if (result === target) return proxy;
    return this.#chains.has(key) && isObject(result) ? this.wrap(result) : result;
  }

  /** A call that was made before it was known to be asynchronous: counted, but the next one is asked about first. */
  async #counted(key: string, result: PromiseLike<unknown>, target: object, proxy: object): Promise<unknown> {
    let isAdmitted = false;
    const admit = () => {
      isAdmitted = true;
      return result;
    };
    try {
      return await this.#guarded(key, admit, target, proxy);
    } catch (error) {
      if (isAdmitted) throw error;
      return result;
    }
  }

  async #later(result: PromiseLike<unknown>): Promise<unknown> {
    const value = await result;
    return isObject(value) ? this.wrap(value) : value;
  }
}

type Method = (...args: unknown[]) => unknown;

/** What the calls that are being made have of their own. */
const OPTIONS: { current: OperationOptions | undefined } = { current: undefined };

/**
 * Calls with options of their own: `withOperation({ timeout: 500 }, () => redis.get("key"))`. They hold for the guarded
 * methods that `call` calls before it returns or awaits for the first time.
 */
export function withOperation<T>(options: OperationOptions, call: () => T): T {
  const before = OPTIONS.current;
  OPTIONS.current = options;
  try {
    return call();
  } finally {
    OPTIONS.current = before;
  }
}

function factsBy(isFailure: ProtectOptions["isFailure"], facts: Facts): (error: unknown) => Failure | undefined {
  return (error) => {
    const verdict = isFailure === undefined ? undefined : verdictOf(isFailure, error);
    if (verdict === undefined) return facts(error);
    return verdict ? undefined : { status: 200, code: "SQL_ERROR", sent: true };
  };
}

/** What the application's own function says, if it says anything: one that throws, or returns a promise, does not. */
function verdictOf(isFailure: NonNullable<ProtectOptions["isFailure"]>, error: unknown): boolean | undefined {
  try {
    const verdict: unknown = isFailure(error);
    if (!isThenable(verdict)) return verdict === undefined ? undefined : Boolean(verdict);
    Promise.resolve(verdict).catch(() => {});
  } catch {
    // The error that is to be judged is the one that counts.
  }
  return undefined;
}

function laidBare(argument: unknown): unknown {
  if (Array.isArray(argument)) {
    return argument.some((item) => isObject(item) && unprotected(item) !== item) ? argument.map(laidBare) : argument;
  }
  return isObject(argument) ? unprotected(argument) : argument;
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return isObject(value) && typeof (value as { then?: unknown }).then === "function";
}

const AsyncFunction = (async () => {}).constructor;

function isAsync(method: Method): boolean {
  return method instanceof AsyncFunction;
}
