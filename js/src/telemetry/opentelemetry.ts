// What `seawall/opentelemetry` exports: spans and metrics by an application's own OpenTelemetry, by way of its API.

import {
  type Context,
  context as contexts,
  createTraceState,
  type MeterProvider,
  metrics,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type TracerProvider,
  trace,
} from "@opentelemetry/api";
import type { Controls } from "../controls.ts";
import type { Meter, SpanBeginning, Tracer, TraceSpan } from "./span.ts";
import type { TraceContext } from "./trace-context.ts";

/** Where spans and metrics go. */
export interface OpenTelemetryOptions {
  /** Default: the application's global one. */
  tracerProvider?: TracerProvider;
  /** Default: the application's global one. */
  meterProvider?: MeterProvider;
}

/** What `tracing` of a client takes: `tracing: { enabled: true, ...openTelemetry() }`. */
export interface OpenTelemetry {
  readonly tracer: Tracer;
  readonly meter: Meter;
}

const NAME = "seawall";
const KINDS = { client: SpanKind.CLIENT, internal: SpanKind.INTERNAL } as const;
/** Seconds, as the conventions have them. */
const DURATION_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

/**
 * Hands spans and durations to the application's OpenTelemetry. Without a `trace` of its own, an operation belongs to
 * the span that is active where it is asked for.
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): OpenTelemetry {
  const { tracerProvider = trace.getTracerProvider(), meterProvider = metrics.getMeterProvider() } = options;
  return { tracer: new ProvidedTracer(tracerProvider), meter: new ProvidedMeter(meterProvider) };
}

/**
 * Has the pool of a client observed: `db.client.connection.count` and the others of its kind, each time that the
 * application collects metrics. Returns what ends it.
 */
export function observePool(
  controls: Pick<Controls, "status">,
  { pool, meterProvider = metrics.getMeterProvider() }: { pool: string; meterProvider?: MeterProvider },
): () => void {
  const meter = meterProvider.getMeter(NAME);
  const gauge = (name: string, unit: string, description: string) =>
    meter.createObservableUpDownCounter(`db.client.connection.${name}`, { unit, description });
  const count = gauge("count", "{connection}", "The number of connections that are in the state.");
  const idleMin = gauge("idle.min", "{connection}", "The minimum number of idle connections.");
  const max = gauge("max", "{connection}", "The maximum number of connections.");
  const pending = gauge("pending_requests", "{request}", "The number of operations that wait for a connection.");
  const timeouts = meter.createObservableCounter("db.client.connection.timeouts", {
    unit: "{timeout}",
    description: "The number of operations that got no connection in time.",
  });
  const own = { "db.client.connection.pool.name": pool };
  const all = [count, idleMin, max, pending, timeouts];
  const observe: Parameters<typeof meter.addBatchObservableCallback>[0] = (result) => {
    const { pool: now, totals } = controls.status();
    const [, late = 0] = totals.byRefusal.find(([code]) => code === "POOL_TIMEOUT") ?? [];
    result.observe(count, now.borrowed, { ...own, "db.client.connection.state": "used" });
    result.observe(count, now.available, { ...own, "db.client.connection.state": "idle" });
    result.observe(idleMin, now.min, own);
    result.observe(max, now.max, own);
    result.observe(pending, now.pending, own);
    result.observe(timeouts, late, own);
  };
  meter.addBatchObservableCallback(observe, all);
  return () => meter.removeBatchObservableCallback(observe, all);
}

class ProvidedTracer implements Tracer {
  readonly #tracer: ReturnType<TracerProvider["getTracer"]>;
  readonly #provider: TracerProvider;
  /** Spans of ours, by their ids, while they run: what is below them belongs to the span itself and not to a copy. */
  readonly #running = new Map<string, Context>();

  constructor(provider: TracerProvider) {
    this.#provider = provider;
    this.#tracer = provider.getTracer(NAME);
  }

  begin({ name, kind, parent, attributes, beganMs }: SpanBeginning): TraceSpan {
    const above = parent === undefined ? contexts.active() : (this.#running.get(parent.spanId) ?? contextAt(parent));
    const span = this.#tracer.startSpan(
      name,
      { kind: KINDS[kind], attributes: { ...attributes }, startTime: beganMs },
      above,
    );
    const { traceId, spanId, traceFlags, traceState } = span.spanContext();
    const state = traceState?.serialize() ?? "";
    const context = { traceId, spanId, isSampled: (traceFlags & TraceFlags.SAMPLED) !== 0, state };
    this.#running.set(spanId, trace.setSpan(above, span));
    return {
      context,
      end: (endedMs, more, failure) => {
        this.#running.delete(spanId);
        span.setAttributes({ ...more });
        if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
        // A clock may have stepped back.
        span.end(Math.max(endedMs, beganMs));
      },
    };
  }

  async flush(): Promise<void> {
    const { forceFlush } = this.#provider as { forceFlush?(): Promise<void> };
    await forceFlush?.call(this.#provider).catch(() => {});
  }
}

class ProvidedMeter implements Meter {
  readonly #duration: { record(value: number, attributes: Record<string, string | number | boolean>): void };
  readonly #wait: { record(value: number, attributes: Record<string, string | number | boolean>): void };

  constructor(provider: MeterProvider) {
    const meter = provider.getMeter(NAME);
    this.#duration = meter.createHistogram("db.client.operation.duration", {
      unit: "s",
      description: "Duration of database client operations.",
      advice: { explicitBucketBoundaries: DURATION_BUCKETS },
    });
    this.#wait = meter.createHistogram("db.client.connection.wait_time", {
      unit: "s",
      description: "The time it took to obtain an open connection from the pool.",
      advice: { explicitBucketBoundaries: DURATION_BUCKETS },
    });
  }

  operation(seconds: number, attributes: Readonly<Record<string, string | number | boolean>>): void {
    this.#duration.record(Math.max(seconds, 0), { ...attributes });
  }

  waited(seconds: number, pool: string): void {
    this.#wait.record(Math.max(seconds, 0), { "db.client.connection.pool.name": pool });
  }
}

/** A context whose span is elsewhere. */
function contextAt({ traceId, spanId, isSampled, state }: TraceContext): Context {
  const traceFlags = isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  const traceState = state === "" ? {} : { traceState: createTraceState(state) };
  return trace.setSpanContext(contexts.active(), { traceId, spanId, traceFlags, isRemote: true, ...traceState });
}
