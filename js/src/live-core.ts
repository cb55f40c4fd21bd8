// The core of one driver: made when it is first needed, and made anew from what is known when it has trapped.

import type { Circuit, CircuitChange, Why } from "./circuit.ts";
import type { OperationRetry, RetryOptions, SeawallOptions } from "./config/options.ts";
import { CoreHandle, checkSettings, coreGeneration, Place } from "./core.ts";
import { LiveSettings } from "./live-settings.ts";
import type { Platform } from "./platform/platform.ts";
import { RetryPolicies } from "./retry-policies.ts";
import type { Settings } from "./settings.ts";
import { type BreakerState, type ConnectionStatus, STATES, type Status } from "./status.ts";
import type { Left } from "./tenants/residue.ts";
import { limitsOf, type TierName, tierStatus } from "./tenants/tier.ts";

const OPEN = 2;
const FORCED = { CLOSED: 1, OPEN: 2 } as const;

/** The core in use, and all that a new one must be told. */
export class LiveCore {
  /** The handle last in use; undefined before the first and after a trap. */
  handle: CoreHandle | undefined;
  readonly circuit: Circuit;
  /** What it is set to. */
  readonly settings: LiveSettings;
  readonly #platform: Platform;
  readonly #policies = new RetryPolicies();
  readonly #hasConnections: boolean;
  #settings: Settings;
  /** What the core knew at its last change, for the case that it traps. */
  #snapshot = "";
  #recoveries = 0;
  /** Whether the last one has trapped, and none was made since. */
  #isLost = false;
  #isClosed = false;
  /** The tier in force. A field, because every operation asks. */
  tier: TierName | undefined;
  readonly #openedAs: TierName | undefined;

  /** @throws Error that names every setting that cannot be used. */
  constructor(options: SeawallOptions, database: string, platform: Platform, circuit: Circuit, hasConnections = false) {
    this.#hasConnections = hasConnections;
    this.#platform = platform;
    this.circuit = circuit;
    this.settings = new LiveSettings(options, database, platform, hasConnections);
    this.#settings = this.#settingsWith();
    this.tier = this.settings.tier;
    this.#openedAs = this.tier;
  }

  /** The handle of the current instance, made anew from the last snapshot when the instance was replaced. */
  get(): CoreHandle {
    const handle = this.handle;
    if (handle !== undefined && handle.generation === coreGeneration()) return handle;
    const { circuit } = this;
    const platform = this.#platform;
    const now = platform.now();
    if (handle !== undefined || this.#isLost) this.#recoveries += 1;
    this.#isLost = false;
    const onTrap = (trapped: CoreHandle) => {
      if (this.handle !== trapped) return;
      this.handle = undefined;
      this.#isLost = true;
    };
    const seeds = [platform.randomBits(), platform.randomBits()] as const;
    const fresh = new CoreHandle(this.#settings, ...seeds, now, onTrap, this.#hasConnections);
    this.#policies.teach((retry) => addRetryPolicy(fresh.core, this.#settingsWith(retry)));
    if (this.#snapshot !== "") fresh.core.import(this.#snapshot, now);
    if (circuit.forced !== undefined) fresh.core.force(FORCED[circuit.forced], now);
    fresh.tier = this.tier;
    if (this.#isClosed) fresh.core.close(now);
    this.handle = fresh;
    if (circuit.isTroubled || circuit.forced !== undefined) this.#compare("core_replaced");
    return fresh;
  }

  /** Asks what is not on the path of an operation: again of the next core, if this one traps. */
  ask<T>(what: (core: CoreHandle["core"], now: number) => T): T {
    const handle = this.get();
    const now = this.#platform.now();
    try {
      return what(handle.core, now);
    } catch (error) {
      handle.trapped(error, 0);
      return what(this.get().core, now);
    }
  }

  /** Keeps what the core knows, for the case that it traps. */
  remember(handle: CoreHandle): void {
    const snapshot = handle.export();
    if (snapshot !== "") this.#snapshot = snapshot;
  }

  /** Hands the circuit's changes on to those who listen. */
  tell(handle: CoreHandle): void {
    for (;;) {
      const change = handle.takeChange();
      if (change < 0) return;
      this.circuit.changed(change, handle.read(Place.ChangedAtMs));
    }
  }

  /** The number of an operation's own retry policy; 0 without one. */
  policyOf(retry: OperationRetry | undefined): number {
    if (retry === undefined) return 0;
    return this.#policies.numberOf(retry, (policy) => {
      const settings = this.#settingsWith(policy);
      checkSettings(settings);
      return this.ask((core) => addRetryPolicy(core, settings));
    });
  }

  /** Refuses new calls. */
  close(): void {
    this.#isClosed = true;
    // One that is made later is closed from the beginning.
    if (this.handle !== undefined) this.ask((core, now) => core.close(now));
  }

  /** Accepts calls again. */
  reopen(): void {
    this.#isClosed = false;
    this.ask((core) => core.reopen());
  }

  /** Holds the circuit by hand; undefined lets it go. */
  force(state: "OPEN" | "CLOSED" | undefined, why: string | Why | undefined): void {
    this.ask((core, now) => core.force(state === undefined ? 0 : FORCED[state], now));
    this.circuit.hand(state ?? "RELEASED", why);
    this.tell(this.get());
  }

  /** Closes the circuit and forgets its counts. */
  reset(why: string | Why | undefined): void {
    this.ask((core, now) => core.resetBreaker(now));
    this.circuit.hand("RESET", why);
    this.tell(this.get());
  }

  /** Turns the breaker off or on while it runs. */
  enable(isOn: boolean, why: string | Why | undefined): void {
    this.circuit.hand(isOn ? "ENABLED" : "DISABLED", why);
    this.#reconfigure(isOn);
    this.#compare(isOn ? "enabled" : "disabled");
  }

  /** Changes settings, whole or not at all. The next operation sees them. */
  configure(patch: SeawallOptions): void {
    this.settings.configure(patch);
    this.#reconfigure();
    this.#compare("unknown");
  }

  /** Takes the settings of a document, whole or not at all. */
  importConfig(text: string): void {
    this.settings.importConfig(text);
    this.#reconfigure();
    this.#compare("unknown");
  }

  #reconfigure(isBreakerOn?: boolean): void {
    this.#settings = this.#settingsWith(undefined, isBreakerOn);
    const { lines, numbers, database } = this.#settings;
    this.ask((core) => core.reconfigure(lines, numbers, database));
    this.tier = this.settings.tier;
    this.get().tier = this.tier;
    this.tell(this.get());
  }

  /**
   * Changes the pool's bounds while it runs.
   *
   * @throws Error that names every bound that cannot be used; nothing is changed then.
   */
  resize(bounds: { minConnections?: number; maxConnections?: number }): void {
    this.configure({ connectionPool: bounds });
  }

  /** Takes another tier for what comes next. */
  setTier(tier: TierName): void {
    limitsOf(tier);
    this.configure({ tier });
  }

  /** Calls that run; without a core, none do. */
  running(): number {
    return this.handle === undefined ? 0 : this.ask((core, now) => core.running(now));
  }

  /** What a successor must know. */
  leave(): Left {
    const { forced, isDisabled } = this.circuit;
    const tier = this.tier === this.#openedAs ? undefined : this.tier;
    if (this.handle === undefined) return { rateDueMs: 0, openUntilMs: 0, forced, isDisabled, tier };
    const [rateDueMs, isOpen, retryAtMs] = this.ask((core, now) => [
      core.rateDue(),
      core.breakerState(now) === OPEN,
      core.retryAt(),
    ]);
    return { rateDueMs, openUntilMs: isOpen && forced === undefined ? retryAtMs : 0, forced, isDisabled, tier };
  }

  /** Goes on where a predecessor left. */
  resume({ rateDueMs, openUntilMs, forced, isDisabled, tier }: Left): void {
    if (tier !== undefined) this.setTier(tier);
    if (isDisabled) this.enable(false, "resumed");
    this.ask((core, now) => core.resume(rateDueMs, openUntilMs, now));
    if (forced !== undefined) this.force(forced, "resumed");
    this.tell(this.get());
  }

  /** Gives the core's memory back. It must be closed, and nothing may run. */
  free(): void {
    const { handle } = this;
    this.handle = undefined;
    if (handle !== undefined && handle.generation === coreGeneration()) handle.core.free();
  }

  /** The status document. */
  status(): Status {
    const status = JSON.parse(this.ask((core, now) => core.status(now))) as Status;
    const { recent } = status;
    recent.averageMs = recent.durationMs / Math.max(recent.healthy + recent.failing, 1);
    const { hands, listenerFailures } = this.circuit;
    Object.assign(status.breaker, { hands: hands.map((hand) => ({ ...hand })), listenerFailures });
    if (this.tier !== undefined) status.tier = tierStatus(this.tier, this.#platform.connectionsMax);
    return Object.assign(status, { coreRecoveries: this.#recoveries, ignored: this.settings.ignored() });
  }

  /** Connections with their histories. */
  connections(): ConnectionStatus[] {
    return JSON.parse(this.ask((core, now) => core.connections(now))) as ConnectionStatus[];
  }

  /** A state can change without a note: settings change, and a new core begins closed. */
  #compare(reason: CircuitChange): void {
    const state = STATES[this.get().breakerState(this.#platform.now())] as BreakerState;
    this.circuit.found(state, reason);
  }

  #settingsWith(retry?: RetryOptions, isBreakerOn?: boolean): Settings {
    return this.settings.of(retry, isBreakerOn ?? (this.circuit.isDisabled ? false : undefined));
  }
}

function addRetryPolicy(core: CoreHandle["core"], { lines, numbers, database }: Settings): number {
  return core.addRetryPolicy(lines, numbers, database);
}
