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
import type { TierName } from "./tier.ts";

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

/** What operators said of one tenant: see {@link Tenants.obey}. */
export interface TenantOrder {
  /** Its tier; without it, what `open` says. */
  tier?: TierName;
  /** Whether everything of it is refused. */
  suspended?: boolean;
}

interface Live {
  readonly made: object;
  /** The tier that `open` said. */
  readonly own: TierName | undefined;
  /** The tier that operators said. */
  ordered: TierName | undefined;
  /** It has a tier that holds no more, and is opened anew when it has no work in flight. */
  isStale?: boolean;
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
  #orders = new Map<string, TenantOrder>();
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
   * @throws ResilienceError `TENANT_SUSPENDED` while operators have it suspended, `OVERLOADED` when as many tenants as there may be have work in flight, `CLIENT_CLOSED` after
   * {@link Tenants.close}, and whatever `open` or {@link createClient} throw.
   */
  get<T extends object = SeawallClient>(id: string): T {
    const nowMs = this.#platform.now();
    if (this.#orders.get(id)?.suspended === true) {
      throw makeError("TENANT_SUSPENDED", `The tenant ${JSON.stringify(id)} is suspended; nothing was sent.`, {
        origin: "policy",
        retry: "never",
        outcome: "not_executed",
      });
    }
    let live = this.#live.get(id);
    if (live?.isStale === true && this.evict(id)) live = undefined;
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

  /**
   * Takes what operators said of tenants, by id, and forgets what they said before. A tier holds for what comes next; a
   * tenant that is suspended is not given out any more, and who has its client may end what was begun.
   */
  obey(orders: Readonly<Record<string, TenantOrder>>): void {
    this.#orders = new Map(Object.entries(orders));
    for (const [id, live] of [...this.#live]) {
      const { tier, suspended } = this.#orders.get(id) ?? {};
      this.#setTier(id, live, tier);
      if (suspended === true) this.evict(id);
    }
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
    this.#setTier(id, live, this.#orders.get(id)?.tier);
    return live;
  }

  /** Has it the tier that operators said, else the one that `open` said; one without either is opened anew. */
  #setTier(id: string, live: Live, tier: TierName | undefined): void {
    if (tier === live.ordered) return;
    const holds = tier ?? live.own;
    live.ordered = tier;
    live.isStale = holds === undefined;
    if (holds === undefined) this.evict(id);
    else live.driver().setTier(holds);
  }

  #opened(id: string, config: TenantConfig | ProtectedTenant, touchedMs: number): Live {
    if ("client" in config) {
      const { client, ...options } = config;
      const driver = guardFor({ name: id, ...options });
      const made = protectBy(client, options, driver);
      const [isBusy, close] = [() => driver.isBusy(), () => driver.close()];
      return { made, own: options.tier, ordered: undefined, driver: () => driver, isBusy, close, touchedMs };
    }
    const { tier, rateLimit, queryCost, seawall, ...rest } = config;
    const given = definedOf({ tier, rateLimit, queryCost });
    const { client, driver, isBusy } = openClient({ ...rest, seawall: { ...given, ...seawall } }, this.#platform);
    const close = () => {
      client.close();
      client.seawall.cache.clear();
    };
    return { made: client, own: seawall?.tier ?? tier, ordered: undefined, driver, isBusy, close, touchedMs };
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
    // What operators said is said again when it is opened.
    const isOrdered = live.ordered !== undefined || live.isStale === true;
    const left = isOrdered ? { ...driver.leave(), tier: undefined } : driver.leave();
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
