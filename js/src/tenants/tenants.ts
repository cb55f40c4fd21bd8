// Clients by tenant: each with its own breaker, pool, rate limit and time limits, made when it is first asked for, and put
// aside when it is idle and there are too many.

import { type Config, openClient, type SeawallClient } from "../client.ts";
import type { SeawallOptions } from "../config/options.ts";
import type { Driver } from "../driver.ts";
import { makeError } from "../errors.ts";
import { type Platform, platform as thisPlatform } from "../platform/platform.ts";
import { guardFor, type ProtectOptions, protectBy } from "../protect/protect.ts";
import { Capacity, type CapacityOptions, type CapacityStatus } from "./capacity.ts";
import { Residues } from "./residue.ts";

/** Where a tenant's database is, and what the tenant may use. Settings under `seawall` win over those beside `url`. */
export interface TenantConfig extends Config, Pick<SeawallOptions, "tier" | "rateLimit" | "queryCost"> {}

/** The same for a tenant whose database another client asks: `get` returns that client, protected. */
export interface ProtectedTenant extends ProtectOptions {
  client: object;
}

/** How many tenants there may be at once, and how one is opened. */
export interface TenantsOptions {
  /** Says what a tenant has, each time that it is opened. Called again after it was put aside. */
  open(id: string): TenantConfig | ProtectedTenant;
  /** Tenants that are open at once, 1 to 100,000. Default 1,000. */
  maxLive?: number;
  /** A tenant that nobody asked for during so many milliseconds is put aside. Default 300,000. */
  idleTimeout?: number;
  /** Tenants of which something is kept while they are put aside, 0 to 1,000,000. Default 100,000. */
  maxResidues?: number;
  /** What all tenants together may have in flight. Without it, there is no common bound. */
  capacity?: CapacityOptions;
}

/** How many tenants there are. */
export interface TenantsStatus {
  live: number;
  /** Tenants that are put aside and of which something is kept. */
  residues: number;
  /** How often a tenant was put aside. */
  evicted: number;
  /** How often what was kept of a tenant had to be forgotten while it still meant something. */
  residuesDropped: number;
  capacity?: CapacityStatus;
}

interface Live {
  readonly made: object;
  readonly driver: () => Driver;
  isBusy(): boolean;
  close(): void;
  touchedMs: number;
}

const LIVE_DEFAULT = 1_000;
const IDLE_DEFAULT_MS = 300_000;
const RESIDUES_DEFAULT = 100_000;

/**
 * Databases by tenant. What one tenant does to its circuit, pool, rate limit and time limits changes nothing for another.
 *
 * Ask for a tenant in each request; do not keep its client. One that was put aside is closed.
 */
export class Tenants {
  readonly #open: TenantsOptions["open"];
  readonly #max: number;
  readonly #idleMs: number;
  readonly #live = new Map<string, Live>();
  readonly #residues: Residues;
  readonly #capacity: Capacity | undefined;
  readonly #platform: Platform;
  #evicted = 0;
  #isClosed = false;

  /** @throws RangeError for a bound that is none, and Error for a capacity that cannot be. */
  constructor(options: TenantsOptions, platform: Platform = thisPlatform) {
    this.#platform = platform;
    this.#open = options.open;
    this.#max = whole("maxLive", options.maxLive ?? LIVE_DEFAULT, 1, 100_000);
    this.#idleMs = whole("idleTimeout", options.idleTimeout ?? IDLE_DEFAULT_MS, 1, 86_400_000);
    this.#residues = new Residues(whole("maxResidues", options.maxResidues ?? RESIDUES_DEFAULT, 0, 1_000_000));
    this.#capacity = options.capacity === undefined ? undefined : new Capacity(options.capacity, this.#platform);
  }

  /**
   * The client of a tenant.
   *
   * @throws ResilienceError `OVERLOADED` when as many tenants as there may be have work in flight, `CLIENT_CLOSED` after
   * {@link Tenants.close}, and whatever `open` or {@link createClient} throw.
   */
  get<T extends object = SeawallClient>(id: string): T {
    const nowMs = this.#platform.now();
    let live = this.#live.get(id);
    if (live === undefined) {
      live = this.#make(id, nowMs);
    } else {
      this.#live.delete(id);
      live.touchedMs = nowMs;
    }
    this.#live.set(id, live);
    return live.made as T;
  }

  /** Whether a tenant is open now. Asking opens nothing. */
  has(id: string): boolean {
    return this.#live.has(id);
  }

  /** Puts a tenant aside now; false when it is not open, or has work in flight. */
  evict(id: string): boolean {
    const live = this.#live.get(id);
    if (live === undefined || live.isBusy()) return false;
    this.#putAside(id, live);
    return true;
  }

  /** Closes a tenant whatever it does, and forgets all that was kept of it: its database is gone. */
  delete(id: string): void {
    this.#live.get(id)?.close();
    this.#live.delete(id);
    this.#residues.forget(id);
  }

  status(): TenantsStatus {
    const { size: residues, dropped: residuesDropped } = this.#residues;
    const status: TenantsStatus = { live: this.#live.size, residues, evicted: this.#evicted, residuesDropped };
    if (this.#capacity !== undefined) status.capacity = this.#capacity.status();
    return status;
  }

  /** Closes every tenant. */
  close(): void {
    this.#isClosed = true;
    for (const live of this.#live.values()) live.close();
    this.#live.clear();
    this.#capacity?.close();
  }

  #make(id: string, nowMs: number): Live {
    if (this.#isClosed) {
      throw makeError("CLIENT_CLOSED", "The tenants are closed; nothing was sent.", {
        origin: "caller",
        retry: "never",
        outcome: "not_executed",
      });
    }
    this.#makeRoom(nowMs);
    const live = this.#opened(id, this.#open(id), nowMs);
    const driver = live.driver();
    driver.capacity = this.#capacity;
    const left = this.#residues.take(id);
    if (left !== undefined) driver.resume(left);
    return live;
  }

  #opened(id: string, config: TenantConfig | ProtectedTenant, touchedMs: number): Live {
    if ("client" in config) {
      const { client, ...options } = config;
      const driver = guardFor({ name: id, ...options });
      const made = protectBy(client, options, driver);
      return { made, driver: () => driver, isBusy: () => driver.isBusy(), close: () => driver.close(), touchedMs };
    }
    const { tier, rateLimit, queryCost, seawall, ...rest } = config;
    const given = definedOf({ tier, rateLimit, queryCost });
    const { client, driver, isBusy } = openClient({ ...rest, seawall: { ...given, ...seawall } }, this.#platform);
    const close = () => {
      client.close();
      client.seawall.cache.clear();
    };
    return { made: client, driver, isBusy, close, touchedMs };
  }

  /** Puts aside the one that was idle for too long, and as many more as are too many, those first that nobody used for longest. */
  #makeRoom(nowMs: number): void {
    for (const [id, live] of this.#live) {
      const isTooMany = this.#live.size >= this.#max;
      if (!isTooMany && nowMs - live.touchedMs < this.#idleMs) return;
      if (!live.isBusy()) this.#putAside(id, live);
      else if (!isTooMany) return;
    }
    if (this.#live.size < this.#max) return;
    throw makeError(
      "OVERLOADED",
      `${this.#max} tenants have work in flight at once; nothing was sent. Raise maxLive, or send less at once.`,
      { origin: "policy", retry: "if_repeatable", outcome: "not_executed" },
    );
  }

  #putAside(id: string, live: Live): void {
    const driver = live.driver();
    const left = driver.leave();
    this.#live.delete(id);
    live.close();
    driver.free();
    this.#residues.put(id, left, this.#platform.now());
    this.#evicted += 1;
  }
}

function definedOf<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function whole(name: string, value: number, min: number, max: number): number {
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw new RangeError(`${name} must be a whole number from ${min} to ${max}, got ${String(value)}`);
  }
  return value;
}
