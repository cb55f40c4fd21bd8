// What operators and their tools ask of an isolate: the routes of src/http, for any framework with `Request` and `Response`.

import { type Platform, platform as thisPlatform } from "../platform/platform.ts";
import type { Store } from "../store/store.ts";
import type { StrongStore } from "../store/strong.ts";
import { alertsOf } from "./alert-orders.ts";
import type { AlertsOptions, MonitorAlerts } from "./alerts.ts";
import { bodyOf } from "./body.ts";
import type { HealthDocument, MonitorMetrics, Overview } from "./documents.ts";
import { type Answer, type Asked, carriedOut, chance, type Host, type Question, type Responded } from "./exchange.ts";
import { type ExposureSource, ExposureWatch } from "./exposures.ts";
import { flagsOf } from "./flag-options.ts";
import { LiveCore } from "./live-core.ts";
import { LogReader } from "./logs.ts";
import { BusinessMetrics, type MetricsTextOptions } from "./metrics.ts";
import { metricsRequest, textOf } from "./metrics-text.ts";
import { obeyed } from "./obey.ts";
import { type OrderListener, OrderWatch, type SeenOrders, type VerifiedListener } from "./orders.ts";
import { fetched } from "./outgoing.ts";
import { MonitorRestartedError } from "./restarted.ts";
import { StrongHost } from "./strong-host.ts";
import { keysAt, verified } from "./trust.ts";
import { type Watchable, type Watched, type WatchedTenants, watchedOf } from "./watched.ts";

/** The latest time that a date can be, in milliseconds. */
const CLOCK_MAX_MS = 8.64e15;
/** How often a timer looks whether something is due, in milliseconds. */
const TICK_MS = 1_000;
/** As the core asks for it. */
const CHANCE_BYTES = 32;
const CHECK_INTERVAL_MIN_MS = 1_000;
const CHECK_INTERVAL_DEFAULT_MS = 15_000;
/** A probe that is at most so old answers `healthCheck`, as it answers the routes, in milliseconds. */
const PROBE_AGE_MAX_MS = 1_000;

/** What {@link createMonitor} is made of. */
export interface MonitorOptions {
  /** The databases by name. The first is what the health document is about. */
  databases: Readonly<Record<string, Watchable>>;
  /** Tenants by a name for all of them: how many there are is shown, and nothing of any one. They obey the order `tenants`. */
  tenants?: Readonly<Record<string, WatchedTenants>>;
  /** The routes lie under this path; `/api` by default, and `""` for none. */
  basePath?: string;
  /** All databases are probed about so often, in milliseconds: see {@link Monitor.startMonitoring}. */
  checkIntervalMs?: number;
  /** What is worth an alert, and who is told. */
  alerts?: AlertsOptions;
  /**
   * Metrics: whether they are shown and told to the others (true), and about how often they are told, in milliseconds:
   * without it what the first client says whose `metrics.statsInterval` is set, else 60,000. `statsIntervalMs` is the same.
   */
  metrics?: { enabled?: boolean; statsInterval?: number; statsIntervalMs?: number };
  /** Where orders and records are kept; without it the routes that need them answer 503. */
  store?: StrongStore;
  /** Follows the store, and is read where an order may be a minute old: `workersKvStore(env.SEAWALL_KV)`. */
  cache?: Store;
  /** What is allowed in the admin routes, and how soon orders hold here. */
  admin?: AdminOptions;
  /** What lets into the admin routes: 32 random characters or more. Without it they are closed. */
  adminToken?: string;
  /** Scores from which a database is well enough; by default 85 to deploy, and 80 for whoever asks for another reason. */
  healthScore?: { deploy?: number; custom?: number };
  /** Where logs and metrics are sent. */
  telemetry?: MonitorTelemetry;
  /** Flags, and who may ask for them by OFREP. */
  flags?: MonitorFlags;
}

/** See {@link MonitorOptions.flags}. */
export interface MonitorFlags {
  /** A document of flags that holds until this isolate has seen an order: see docs/flags.md. */
  definitions?: Readonly<Record<string, unknown>>;
  /** Where `FEATURE_…` and `ROLLOUT_…` are; `process.env` where there is one. A Worker gives its `env`. */
  env?: Readonly<Record<string, unknown>>;
  /** The routes below `/ofrep/v1`. A token of the role `evaluator` is enough for them. */
  ofrep?: {
    /** Whether anybody may ask; by default a token is needed. */
    public?: boolean;
    /** Where pages may come from whose scripts ask, such as `https://app.example.com`; `*` for everywhere. */
    origins?: string[];
    /** Requests a minute, and at once after a pause; 60,000 by default. Each isolate counts for itself. */
    requestsPerMinute?: number;
    /** Answers to the letter of the protocol's schema: `STATIC` for `DEFAULT`, an error for lists and `null`. */
    strict?: boolean;
  };
}

/** See {@link MonitorOptions.admin}. */
export interface AdminOptions {
  /** Writes a minute, and at once after a pause, by all isolates together; 60 by default. */
  writesPerMinute?: number;
  /** The same for the kill switch, beside the others. */
  killsPerMinute?: number;
  /** Records of the audit log, and orders that were replaced, are kept for so many days; 400 by default. */
  auditKeepDays?: number;
  /** This isolate looks so often at most whether there are newer orders, in milliseconds; 500 by default. */
  followIntervalMs?: number;
  /** It looks into `cache`, and not into `store`: for fleets that would be too many for that. */
  followCache?: boolean;
  /**
   * Requests a minute, and at once after a pause, with something that does not let in; 300 by default. Each isolate counts
   * for itself, whoever asks.
   */
  failuresPerMinute?: number;
  /** Whom Cloudflare Access lets in, and as what. Without it nobody's word is taken but that of tokens. */
  access?: AccessOptions;
  /** Where pages may come from that write by way of Access, beside the address that requests are sent to. */
  origins?: string[];
  /** What runs here. Where it is `production`, the phase of a deployment is written with approval only; found out by default. */
  environment?: string;
  /** The approval: exactly `"true"`. `PRODUCTION_MIGRATION_APPROVED` by default. */
  migrationApproved?: string;
}

/** What somebody may do; each role may do what those before it may. */
export type AdminRole = "evaluator" | "viewer" | "operator" | "admin";

/** See {@link AdminOptions.access}. */
export interface AccessOptions {
  /** The team's name, or its domain: `acme` or `acme.cloudflareaccess.com`. */
  teamDomain: string;
  /** The tag of the Access application (AUD), or several. */
  audience: string | string[];
  /** Who may do what; of several roles the greatest counts. Whoever is not named has `default`, or is refused. */
  roles?: {
    emails?: Readonly<Record<string, AdminRole>>;
    groups?: Readonly<Record<string, AdminRole>>;
    services?: Readonly<Record<string, AdminRole>>;
    default?: "viewer" | null;
  };
}

/** See {@link MonitorOptions.telemetry}. */
export interface MonitorTelemetry {
  /**
   * A collector that takes OTLP/HTTP: its address, to which `/v1/metrics` and `/v1/logs` are added; headers, which are never
   * shown; milliseconds between two exports, 60,000 by default.
   */
  otlp?: {
    endpoint?: string;
    headers?: string | Readonly<Record<string, string>>;
    intervalMs?: number;
    serviceName?: string;
  };
}

/** See {@link createMonitor}. Whatever it tells is this isolate's own. */
export interface Monitor {
  /** What is worth looking at, and what operators say to it. */
  readonly alerts: MonitorAlerts;
  /** Answers a request to one of the routes. Never rejects. */
  handle(request: Request): Promise<Response>;
  /** Whether the first database answers, by a probe that is at most a second old. Never rejects. */
  healthCheck(): Promise<boolean>;
  /** The health document, as `/api/health` has it. */
  getHealthStatus(): Promise<HealthDocument>;
  /** What is known of the first database at the moment, without asking it. */
  getMetrics(): MonitorMetrics;
  /** What is known of everything at the moment, as `/api/status` has it, without asking anybody. */
  status(): Overview;
  /**
   * The metrics as text, as `/api/health/metrics` has them: for Prometheus, or as OpenMetrics.
   *
   * @throws RangeError for names that there are not, Error when nothing is known at the moment.
   */
  metricsText(options?: MetricsTextOptions): Promise<string>;
  /** What the application counts itself, which is shown among the metrics. */
  readonly metrics: BusinessMetrics;
  /** What this isolate has seen of what operators ordered, by name; empty without a store. */
  readonly orders: SeenOrders;
  /**
   * Tells `listener` of each order that is seen from now on and is newer than what was seen here before. What it throws, or
   * rejects with, is dropped.
   *
   * @returns Ends it.
   * @throws RangeError for another event, and at the hundred-and-first listener; TypeError when it is no function.
   */
  on(event: "order", listener: OrderListener): () => void;
  /** Tells `listener` each time that the strong store was asked and what was seen of the orders is all that there is. */
  on(event: "verified", listener: VerifiedListener): () => void;
  /**
   * Counts what these flags serve among the metrics: `createFlags({ monitor })` asks for it.
   *
   * @returns Ends it. What was counted stays.
   * @throws RangeError at the hundred-and-first.
   */
  watchFlags(source: ExposureSource): () => void;
  /** Does what is due in the background, and resolves when it is done. Never rejects. */
  tick(): Promise<void>;
  /**
   * Has all databases probed every `intervalMs`, 15,000 by default and 1,000 at least, and background work done on time.
   * On Workers, which have no timers outside of requests, both are done after the next request that comes when they are
   * due, or by {@link Monitor.tick} in a `scheduled` handler. The timer does not keep a process alive.
   *
   * @returns Ends it.
   */
  startMonitoring(intervalMs?: number): () => void;
  /** Ends what runs by itself. Requests are answered as before. */
  close(): void;
}

let latest: Monitor | null = null;

/** The monitor that was made last in this isolate and not closed; null if there is none. */
export function getDatabaseMonitor(): Monitor | null {
  return latest;
}

/**
 * Makes a monitor of this isolate's databases.
 *
 * @throws TypeError or Error that names what cannot be used.
 */
export function createMonitor(options: MonitorOptions): Monitor {
  latest = monitorOn(options, thisPlatform);
  return latest;
}

/** The same on a platform of a test's own. */
export function monitorOn(options: MonitorOptions, platform: Platform): Monitor {
  return new IsolateMonitor(options, platform);
}

class IsolateMonitor implements Monitor, Host {
  readonly alerts: MonitorAlerts;
  readonly #core: LiveCore;
  readonly #orders: OrderWatch;
  readonly #databases: readonly Watched[];
  readonly #logs = new LogReader();
  readonly #exposures = new ExposureWatch();
  readonly #tenants: readonly [string, WatchedTenants][];
  readonly #strong: StrongHost;
  readonly #basePath: string;
  readonly #platform: Platform;
  readonly #startedAtMs: number;
  readonly metrics: BusinessMetrics;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(options: MonitorOptions, platform: Platform) {
    const { databases, tenants = {}, store, cache, ...settings } = options;
    const isNamed = typeof databases === "object" && databases !== null && Object.keys(databases).length > 0;
    if (!isNamed)
      throw new TypeError("createMonitor needs `databases`: an object with one database at least, by its name");
    this.#strong = new StrongHost(store, cache);
    this.#databases = Object.entries(databases).map(([name, watchable]) => watchedOf(name, watchable));
    this.#tenants = Object.entries(tenants);
    this.#basePath = settings.basePath ?? "/api";
    const admin = { ...hereOf(platform), ...settings.admin };
    const metrics = metricsOf(settings.metrics, this.#databases);
    this.#core = new LiveCore(JSON.stringify({ ...settings, ...metrics, admin, flags: flagsOf(settings.flags) }));
    this.#platform = platform;
    this.#startedAtMs = this.now();
    this.metrics = new BusinessMetrics(() => this.#core.get());
    this.alerts = alertsOf(this.#core, this);
    this.#orders = new OrderWatch(
      () => this.#core.ask((core) => core.orders()),
      () => this.#core.ask((core) => core.ordersConfirmedAt()),
    );
    if (settings.checkIntervalMs !== undefined) this.startMonitoring(settings.checkIntervalMs);
  }

  async metricsText(options: MetricsTextOptions = {}): Promise<string> {
    const path = `${this.#basePath}/health/metrics`;
    return textOf(await this.#answerTo(metricsRequest(path, options)));
  }

  async handle(request: Request): Promise<Response> {
    try {
      const responded = await this.#answerTo(await this.#askedOf(request));
      this.#platform.waitUntil(this.tick());
      return responseOf(responded);
    } catch (error) {
      return error instanceof MonitorRestartedError
        ? problem(500, error.code, "Instance restarted", error.message)
        : problem(500, "INTERNAL_ERROR", "Internal error", "The monitor failed while it answered.");
    }
  }

  async healthCheck(): Promise<boolean> {
    const [first] = this.#databases as [Watched, ...Watched[]];
    try {
      return (await this.#probed(first, PROBE_AGE_MAX_MS))?.isConnected ?? false;
    } catch {
      return first.check();
    }
  }

  async getHealthStatus(): Promise<HealthDocument> {
    const path = `${this.#basePath}/health`;
    const { body } = await this.#answerTo({ method: "GET", path, query: "", headers: [], body: "" });
    return JSON.parse(body) as HealthDocument;
  }

  getMetrics(): MonitorMetrics {
    const { database } = this.#glance<HealthDocument>("/health");
    const { databases } = this.#glance<{ databases: Record<string, { score: number }> }>("/health/score");
    const { connectionPool, performance, reliability } = database;
    return {
      ...performance,
      poolUtilization: connectionPool.utilization,
      totalConnections: connectionPool.total,
      activeConnections: connectionPool.active,
      idleConnections: connectionPool.idle,
      activeOperations: reliability.activeOperations,
      timeouts: reliability.timeouts,
      circuitBreakerState: reliability.circuitBreaker.state,
      healthScore: databases[this.#databases[0]?.name ?? ""]?.score ?? 0,
    };
  }

  status(): Overview {
    return this.#glance("/status");
  }

  get orders(): SeenOrders {
    return this.#orders.seen();
  }

  on(event: "order" | "verified", listener: OrderListener | VerifiedListener): () => void {
    if (event === "verified") return this.#orders.listenVerified(listener as VerifiedListener);
    if (event !== "order") throw new RangeError('monitor.on: the events are "order" and "verified"');
    return this.#orders.listen(listener as OrderListener);
  }

  watchFlags(source: ExposureSource): () => void {
    return this.#exposures.watch(source);
  }

  async tick(): Promise<void> {
    try {
      const core = this.#core.get();
      const chores = Array.from({ length: core.chores() }, (_, index) =>
        carriedOut(core, this, (nowMs, random) => core.chore(index, nowMs, random)),
      );
      for (const ended of await Promise.allSettled(chores)) if (ended.status === "rejected") throw ended.reason;
      this.#orders.tell();
    } catch {
      // It is due again the next time.
    }
  }

  startMonitoring(intervalMs: number = CHECK_INTERVAL_DEFAULT_MS): () => void {
    if (typeof intervalMs !== "number" || !(intervalMs >= CHECK_INTERVAL_MIN_MS && intervalMs <= 86_400_000)) {
      throw new RangeError(`startMonitoring takes ${CHECK_INTERVAL_MIN_MS} to 86400000 ms, got ${String(intervalMs)}`);
    }
    this.#core.checkEvery(intervalMs);
    clearInterval(this.#timer);
    if (!this.#platform.isPolling) {
      this.tick();
      this.#timer = setInterval(() => this.tick(), TICK_MS);
      (this.#timer as { unref?(): void }).unref?.();
    }
    return () => {
      clearInterval(this.#timer);
      this.#core.checkEvery(0);
    };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#core.checkEvery(0);
    if (latest === this) latest = null;
  }

  /** The host's clock; zero when it is none. */
  now(): number {
    const ms = this.#platform.now();
    return ms >= 0 && ms <= CLOCK_MAX_MS ? Math.floor(ms) : 0;
  }

  async answer(question: Question): Promise<Answer> {
    switch (question.ask) {
      case "facts":
        return { facts: await this.#factsWith(this.#databases.slice(0, 1), question.probeAgeMaxMs) };
      case "allFacts":
        return { facts: await this.#factsWith(this.#databases, question.probeAgeMaxMs) };
      case "fetch":
      case "export":
        return fetched(question);
      case "keys":
        return keysAt(question);
      case "verify":
        return verified(question);
      case "chance":
        return { chance: chance(CHANCE_BYTES) };
      case "logs":
        return { logs: this.#logs.read(this.#databases) };
      case "obey":
        return obeyed(question.commands, this.#databases, this.#tenants);
      default:
        return this.#strong.answer(question);
    }
  }

  /** The request as the routes see it. */
  async #askedOf(request: Request): Promise<Asked> {
    const { origin, pathname: path, search } = new URL(request.url);
    const { method, headers } = request;
    const body = await bodyOf(request, this.#core.get().bodyMax(method, path));
    return { method, path, query: search.slice(1), origin, headers: [...headers], ...body };
  }

  async #answerTo(asked: Asked): Promise<Responded> {
    const core = this.#core.get();
    const text = JSON.stringify(asked);
    return (await carriedOut(core, this, (nowMs, random) => core.begin(text, nowMs, random))) as Responded;
  }

  /** A document of what is known at the moment. */
  #glance<Document>(path: string): Document {
    const facts = JSON.stringify(this.#facts());
    return JSON.parse(this.#core.ask((core) => core.glance(path, facts, this.now()))) as Document;
  }

  async #factsWith(probed: readonly Watched[], ageMaxMs: number | undefined): Promise<unknown> {
    if (ageMaxMs !== undefined) await Promise.all(probed.map((database) => this.#probed(database, ageMaxMs)));
    return this.#facts();
  }

  #facts(): unknown {
    const nowMs = this.now();
    const databases = this.#databases.map((database) => {
      const { name } = database;
      return { name, probe: JSON.parse(this.#core.ask((core) => core.probed(name))), ...database.facts() };
    });
    const tenants = this.#tenants.map(([name, tenants]) => {
      const { live, residues, evicted } = tenants.status();
      return { name, live, residues, evicted };
    });
    // One instance is behind all of them.
    const core = Math.max(0, ...databases.map(({ status }) => status.memoryBytes ?? 0));
    const memoryBytes = core + this.#core.ask((core) => core.memoryBytes());
    const wasmRestarts = [
      { module: "core", count: Math.max(0, ...databases.map(({ status }) => status.wasmRestarts ?? 0)) },
      { module: "monitor", count: this.#core.restarts },
    ];
    const uptimeMs = Math.max(nowMs - this.#startedAtMs, 0);
    const flagExposures = this.#exposures.counts();
    const flagMismatches = this.#exposures.mismatches(nowMs);
    return { nowMs, uptimeMs, memoryBytes, databases, tenants, wasmRestarts, flagExposures, flagMismatches };
  }

  /** The latest probe of a database, at most `ageMaxMs` old if it is not hanging; waits for one if there was none. */
  async #probed({ name, limitMs, check }: Watched, ageMaxMs: number): Promise<{ isConnected: boolean } | null> {
    for (;;) {
      const core = this.#core.get();
      const what = core.probe(name, ageMaxMs, limitMs, this.now());
      if (what < 0) {
        const isConnected = await check();
        this.#core.get().probeEnded(name, isConnected, this.now());
      }
      // Whoever waits does so on a timer of its own: on Workers a promise of another request would kill it.
      if (what <= 0) return JSON.parse(this.#core.get().probed(name));
      await new Promise((resolve) => setTimeout(resolve, what));
    }
  }
}

/** What the platform says of whether a deployment may be moved here. */
function hereOf(platform: Platform): AdminOptions {
  // A Worker that nobody told what it is runs in production; anything else that nobody told is somebody's machine.
  const environment = platform.environment() ?? (platform.isPolling ? "production" : "development");
  const migrationApproved = platform.variable?.("PRODUCTION_MIGRATION_APPROVED");
  return { environment, ...(migrationApproved !== undefined && { migrationApproved }) };
}

function responseOf({ status, headers, body }: Responded): Response {
  return new Response(body === "" ? null : body, { status, headers });
}

function problem(status: number, code: string, title: string, detail: string): Response {
  const headers = {
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  };
  return new Response(JSON.stringify({ code, title, status, detail }), { status, headers });
}

/** The option `metrics`, with what the databases say where it says nothing. */
function metricsOf(own: MonitorOptions["metrics"], databases: readonly Watched[]): Pick<MonitorOptions, "metrics"> {
  const statsIntervalMs = databases.find((database) => database.statsIntervalMs !== undefined)?.statsIntervalMs;
  const isSaid = own?.statsInterval !== undefined || own?.statsIntervalMs !== undefined;
  return isSaid || statsIntervalMs === undefined ? {} : { metrics: { ...own, statsIntervalMs } };
}
