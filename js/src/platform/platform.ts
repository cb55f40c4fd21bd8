// What the driver needs of the runtime it finds itself in. The only place that tells runtimes apart.

import { environmentOf } from "../config/environment.ts";

/** The time, chance and background work of one runtime. */
export interface Platform {
  readonly name: "workerd" | "edge-light" | "node" | "bun" | "deno" | "unknown";
  /** Milliseconds since the epoch, as the host counts them. */
  now(): number;
  /** 32 random bits. On Workers only inside a request. */
  randomBits(): number;
  /**
   * Whether a request must not be resumed by another: its waiters then ask on timers of their own.
   * True on Workers, where a promise that another request resolves can kill the one that waits.
   */
  readonly isPolling: boolean;
  /** Connections that one invocation may open at once; undefined for no bound. */
  readonly connectionsMax: number | undefined;
  /** Keeps the invocation alive until `work` has ended, where the runtime can. `work` never rejects. */
  waitUntil(work: Promise<unknown>): void;
  /** What `ENVIRONMENT`, the host's own variable or `NODE_ENV` says; undefined when nothing does. */
  environment(): string | undefined;
  /** The data centre or region that this runs in; undefined where only a request tells it, or nothing does. */
  colo(): string | undefined;
  /** An environment variable; undefined where there are none. */
  variable?(name: string): string | undefined;
}

/** Workers count six connections that wait for their headers; a seventh waits inside the runtime. */
const WORKERS_CONNECTIONS_MAX = 6;

type Globals = {
  process?: { versions?: Record<string, string>; env?: Record<string, string | undefined> };
  Bun?: unknown;
  Deno?: unknown;
  EdgeRuntime?: unknown;
  navigator?: { userAgent?: string };
};

function detect(): Platform["name"] {
  const globals = globalThis as Globals;
  if (globals.navigator?.userAgent === "Cloudflare-Workers") return "workerd";
  if (globals.EdgeRuntime !== undefined) return "edge-light";
  if (globals.Bun !== undefined) return "bun";
  if (globals.Deno !== undefined) return "deno";
  if (globals.process?.versions?.node !== undefined) return "node";
  return "unknown";
}

/** All environment variables; none where there are none. */
export function variables(): Readonly<Record<string, unknown>> {
  try {
    return { ...(globalThis as Globals).process?.env };
  } catch {
    // Deno asks for permission, and may be refused it.
    return {};
  }
}

function environment(): string | undefined {
  return environmentOf((name) => (name === "NODE_ENV" ? nodeEnv() : variable(name)));
}

/** Bundlers replace the whole expression `process.env.NODE_ENV`, also where there is no `process`. */
function nodeEnv(): string | undefined {
  try {
    return process.env.NODE_ENV;
  } catch {
    return undefined;
  }
}

function variable(name: string): string | undefined {
  try {
    return (globalThis as Globals).process?.env?.[name];
  } catch {
    // Deno asks for permission, and may be refused it.
    return undefined;
  }
}

/**
 * The region, as hosts document it: `VERCEL_REGION`, `FLY_REGION`, `DENO_REGION`, `RAILWAY_REPLICA_REGION`, and
 * `AWS_REGION`, which Lambda and with it Netlify's functions set. On other machines it only says where the SDK asks.
 */
function colo(): string | undefined {
  if (name === "workerd") return undefined;
  try {
    const region =
      process.env.VERCEL_REGION ||
      process.env.FLY_REGION ||
      process.env.DENO_REGION ||
      process.env.RAILWAY_REPLICA_REGION;
    if (region) return region;
    const isAws = process.env.AWS_LAMBDA_FUNCTION_NAME || process.env.AWS_EXECUTION_ENV;
    return (isAws && process.env.AWS_REGION) || undefined;
  } catch {
    return undefined;
  }
}

type VercelContext = { get?(): { waitUntil?(work: Promise<unknown>): void } | undefined };

/** Vercel's functions offer their `waitUntil` under this symbol, with no package to import. */
function vercelWaitUntil(work: Promise<unknown>): void {
  const context = (globalThis as Record<symbol, unknown>)[Symbol.for("@vercel/request-context")] as
    | VercelContext
    | undefined;
  context?.get?.()?.waitUntil?.(work);
}

const name = detect();
let keepAlive: (work: Promise<unknown>) => void = vercelWaitUntil;

/** The runtime that this isolate is in. */
export const platform: Platform = {
  name,
  now: Date.now,
  randomBits: () => (crypto.getRandomValues(new Uint32Array(1)) as unknown as [number])[0],
  isPolling: name === "workerd",
  connectionsMax: name === "workerd" ? WORKERS_CONNECTIONS_MAX : undefined,
  waitUntil: (work) => keepAlive(work),
  environment,
  colo,
  variable,
};

/** Lets an entry point lend what only it can import, as `waitUntil` of `cloudflare:workers`. */
export function lendWaitUntil(waitUntil: (work: Promise<unknown>) => void): void {
  keepAlive = waitUntil;
}
