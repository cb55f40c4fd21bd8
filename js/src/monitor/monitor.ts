// What operators and their tools ask of an isolate: the routes of src/http, for any framework with `Request` and `Response`.

import type { Controls } from "../controls.ts";
import { type Platform, platform as thisPlatform } from "../platform/platform.ts";
import { type AlertsOptions, alertsOf, type MonitorAlerts } from "./alerts.ts";
import { type Answer, type Asked, carriedOut, type Host, type Question, type Responded } from "./exchange.ts";
import { Monitor as Core } from "./generated/monitor.js";
import { fetched } from "./outgoing.ts";

/** Most of a request's body, in bytes. */
const BODY_MAX = 65_536;
/** How often a timer looks whether something is due, in milliseconds. */
const TICK_MS = 1_000;
const CHECK_INTERVAL_MIN_MS = 1_000;

/** A database to watch: what `createClient` gives, or anything with Seawall's controls and a way to ask whether it is there. */
export interface Watched {
  readonly seawall: Pick<Controls, "status">;
  /** Asks the database something small. Rejects when it is not there. */
  execute(statement: string): Promise<unknown>;
}

/** What {@link createMonitor} is made of. */
export interface MonitorOptions {
  /** The databases by name. The first is what the health document is about. */
  databases: Readonly<Record<string, Watched>>;
  /** The routes lie under this path; `/api` by default. */
  basePath?: string;
  /** All databases are probed about so often, in milliseconds: see {@link Monitor.startMonitoring}. */
  checkIntervalMs?: number;
  /** What is worth an alert, and who is told. */
  alerts?: AlertsOptions;
}

/** See {@link createMonitor}. */
export interface Monitor {
  /** What is worth looking at, and what operators say to it. */
  readonly alerts: MonitorAlerts;
  /** Answers a request to one of the routes. Never rejects. */
  handle(request: Request): Promise<Response>;
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
}

/**
 * Makes a monitor of this isolate's databases.
 *
 * @throws TypeError or Error that names what cannot be used.
 */
export function createMonitor(options: MonitorOptions): Monitor {
  return new IsolateMonitor(options, thisPlatform);
}

class IsolateMonitor implements Monitor, Host {
  readonly alerts: MonitorAlerts;
  readonly #core: Core;
  readonly #databases: [string, Watched][];
  readonly #platform: Platform;
  readonly #startedAtMs: number;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor({ databases, ...settings }: MonitorOptions, platform: Platform) {
    this.#core = new Core(JSON.stringify(settings));
    this.#databases = Object.entries(databases);
    this.#platform = platform;
    this.alerts = alertsOf(this.#core, this);
    this.#startedAtMs = platform.now();
  }

  async handle(request: Request): Promise<Response> {
    const asked = await askedOf(request);
    if (asked === undefined) return new Response(null, { status: 413 });
    const text = JSON.stringify(asked);
    const responded = await carriedOut(this.#core, this, (nowMs, random) => this.#core.begin(text, nowMs, random));
    this.#platform.waitUntil(this.tick());
    return responseOf(responded as Responded);
  }

  async tick(): Promise<void> {
    const chores = Array.from({ length: this.#core.chores() }, (_, index) =>
      carriedOut(this.#core, this, (nowMs, random) => this.#core.chore(index, nowMs, random)),
    );
    await Promise.allSettled(chores);
  }

  startMonitoring(intervalMs = 15_000): () => void {
    this.#core.checkEvery(Math.max(intervalMs, CHECK_INTERVAL_MIN_MS));
    clearInterval(this.#timer);
    if (!this.#platform.isPolling) {
      this.#timer = setInterval(() => this.tick(), TICK_MS);
      (this.#timer as { unref?(): void }).unref?.();
    }
    return () => {
      clearInterval(this.#timer);
      this.#core.checkEvery(0);
    };
  }

  now(): number {
    return this.#platform.now();
  }

  async answer(question: Question): Promise<Answer> {
    if (question.ask === "facts" || question.ask === "allFacts") {
      return { facts: await this.#facts(question.probeAgeMaxMs) };
    }
    if (question.ask === "fetch") return fetched(question);
    return { failed: "This monitor has no strong store." };
  }

  async #facts(probeAgeMaxMs: number | undefined): Promise<unknown> {
    const databases = await Promise.all(
      this.#databases.map(async ([name, watched]) => {
        const probe = probeAgeMaxMs === undefined ? null : await this.#probe(watched);
        return { name, probe, operations: 0, status: watched.seawall.status() };
      }),
    );
    const nowMs = this.now();
    return { nowMs, uptimeMs: nowMs - this.#startedAtMs, memoryBytes: 0, databases };
  }

  async #probe(watched: Watched): Promise<{ isConnected: boolean; atMs: number; durationMs: number }> {
    const began = this.now();
    const isConnected = await watched.execute("SELECT 1").then(
      () => true,
      () => false,
    );
    const atMs = this.now();
    return { isConnected, atMs, durationMs: atMs - began };
  }
}

/** The request as the routes see it; undefined when its body is too long. */
async function askedOf(request: Request): Promise<Asked | undefined> {
  const { pathname, search } = new URL(request.url);
  const body = await request.text();
  if (body.length > BODY_MAX) return undefined;
  return { method: request.method, path: pathname, query: search.slice(1), headers: [...request.headers], body };
}

function responseOf({ status, headers, body }: Responded): Response {
  return new Response(body === "" ? null : body, { status, headers });
}
