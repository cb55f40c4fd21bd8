// From options to who watches: which spans, metrics and logs there are, and of which database.

import type { Circuit } from "../circuit.ts";
import type { SeawallOptions } from "../config/options.ts";
import { LiveSettings } from "../live-settings.ts";
import type { Platform } from "../platform/platform.ts";
import { placeOf } from "./describe.ts";
import { LEVELS, Logger, type LogLevel, type LogSink } from "./logger.ts";
import { Observer } from "./observer.ts";
import { type OtlpOptions, OtlpTracer } from "./otlp.ts";
import { Redactor } from "./redact.ts";
import type { Meter, Tracer } from "./span.ts";

/** Spans of operations, by OpenTelemetry's conventions for databases. */
export interface TracingOptions extends OtlpOptions {
  /** Off by default. */
  enabled?: boolean;
  /** Makes the spans, in place of the exporter by OTLP: `otlpTracer(…)`, or what `seawall/opentelemetry` gives. */
  tracer?: Tracer;
  /** Told of durations, for histograms: what `seawall/opentelemetry` gives. */
  meter?: Meter;
  /** Whether requests to the database carry `traceparent` and `tracestate`; off by default. */
  propagate?: boolean;
}

/** Structured logs. Off unless `level` is set, or the flag `ENABLE_DETAILED_LOGGING`. */
export interface LoggingOptions {
  /** Records of this level and above: `"debug"` tells of each operation. */
  level?: LogLevel | "off";
  /** Gets each record, without secrets; by default it is a line of JSON on the console. */
  sink?: LogSink;
  /** Texts that must never be told, beside tokens and passwords that Seawall knows by itself. */
  secrets?: readonly string[];
  /** Whether texts of the database's errors are logged, shortened and without literals; off by default: codes are enough. */
  errorMessages?: boolean;
}

/** What the client knows of its database that its policies do not. */
export interface Observed {
  /** Default `"sqlite"`. */
  system?: string;
  /** Without credentials. */
  url?: URL;
  secrets?: readonly (string | undefined)[];
}

/** Observers by the circuit of their database, which outlives reconnections. */
const OBSERVERS = new WeakMap<Circuit, Observer | null>();
/** Tracers by where they send to: clients of one isolate share them. */
const TRACERS = new Map<string, OtlpTracer>();
/** More destinations than this are a mistake; each further one gets a tracer that nobody shares. */
const TRACERS_MAX = 32;

/**
 * Who watches this database; undefined when tracing and logging are off.
 *
 * @throws Error that names what cannot be used.
 */
export function observerOf(
  circuit: Circuit,
  options: SeawallOptions,
  database: string,
  platform: Platform,
  observed: Observed = {},
): Observer | undefined {
  const known = OBSERVERS.get(circuit);
  if (known !== undefined) return known ?? undefined;
  const made = make(options, database, platform, observed);
  OBSERVERS.set(circuit, made ?? null);
  // Where each operation has its own layers, the circuit has none of them.
  if (made?.logger !== undefined && !made.isForDetailsAlone) {
    for (const event of ["open", "close", "halfOpen"] as const) circuit.on(event, made.circuitChanged);
  }
  return made;
}

function make(options: SeawallOptions, database: string, platform: Platform, observed: Observed): Observer | undefined {
  const { tracing, logging } = options;
  const isTracing = isOn(options, "tracing.enabled", database, platform);
  const level = levelOf(options, database, platform);
  if (!isTracing && level === undefined) return undefined;
  const redactor = new Redactor([...(observed.secrets ?? []), ...(logging?.secrets ?? [])]);
  for (const value of Object.values(tracing?.headers ?? {})) redactor.learn(value);
  return new Observer({
    place: placeOf(observed.system ?? "other_sql", database, observed.url),
    platform,
    tracer: isTracing ? tracerOf(tracing ?? {}, platform) : undefined,
    meter: isTracing ? tracing?.meter : undefined,
    logger: level === undefined ? undefined : new Logger(database, level, redactor, logging?.sink),
    redactor,
    propagates: isTracing && tracing?.propagate === true,
    tellsMessages: logging?.errorMessages === true,
    isForDetailsAlone: options.layers !== undefined && !isTracing && logging?.level === undefined,
  });
}

function tracerOf(tracing: TracingOptions, platform: Platform): Tracer | undefined {
  if (tracing.tracer !== undefined) return tracing.tracer;
  if (platform.variable?.("OTEL_SDK_DISABLED")?.trim().toLowerCase() === "true") return undefined;
  if (tracing.fetch !== undefined) return new OtlpTracer(tracing, platform);
  const { endpoint, headers, serviceName, resource, sampleRatio } = tracing;
  const key = JSON.stringify([platform.name, endpoint, headers, serviceName, resource, sampleRatio]);
  const known = TRACERS.get(key);
  if (known !== undefined) return known;
  const made = new OtlpTracer(tracing, platform);
  if (TRACERS.size < TRACERS_MAX) TRACERS.set(key, made);
  return made;
}

/** The level in force; undefined when nothing is logged. */
function levelOf(options: SeawallOptions, database: string, platform: Platform): LogLevel | undefined {
  const level = options.logging?.level;
  if (level === "off") return undefined;
  if (level === undefined) {
    // Where layers are flags, who is logged is one of them.
    if (options.layers !== undefined) return "debug";
    return isOn(options, "features.ENABLE_DETAILED_LOGGING", database, platform) ? "debug" : undefined;
  }
  if (LEVELS.includes(level)) return level;
  throw new Error(
    `invalid configuration: logging.level must be off, ${LEVELS.join(", ")}, got ${JSON.stringify(level).slice(0, 40)}`,
  );
}

/** A switch of the list of settings. Nothing is asked where nobody has set it: it is off then. */
function isOn(options: SeawallOptions, path: string, database: string, platform: Platform): boolean {
  const [group, name] = path.split(".") as [string, string];
  const members = (options as Record<string, unknown>)[group] as Record<string, unknown> | undefined;
  const isSet =
    members?.[name] !== undefined ||
    (path === "tracing.enabled" && options.enable_tracing !== undefined) ||
    options.given?.some(([given]) => given === path);
  if (!isSet) return false;
  return new LiveSettings(options, database, platform).effective(group).settings[path]?.value === true;
}
