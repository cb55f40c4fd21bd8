// The adapter to an application's own OpenTelemetry, with the real SDK.

import { context, trace } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { expect, test } from "vitest";
import { observePool, openTelemetry } from "../src/telemetry/opentelemetry.ts";
import { rejection } from "./guards.ts";
import { tracedClient } from "./traced.ts";

function provided() {
  const spans = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
  const metrics = new InMemoryMetricExporter(AggregationTemporality.DELTA);
  const reader = new PeriodicExportingMetricReader({ exporter: metrics, exportIntervalMillis: 3_600_000 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  return { spans, metrics, reader, tracerProvider, meterProvider };
}

test("TRC-01: an application's provider gets the same spans, with the same parents", async () => {
  const { spans, tracerProvider, meterProvider } = provided();
  const { client } = tracedClient({ tracing: openTelemetry({ tracerProvider, meterProvider }) });
  const above = tracerProvider.getTracer("app").startSpan("GET /");
  const { traceId, spanId } = above.spanContext();
  await client.seawall
    .withTrace({ traceId, spanId, isSampled: true, state: "" })
    .execute("SELECT a FROM t WHERE b = 'c'");
  await rejection(client.execute({ sql: "SELECT 1", seawall: { signal: AbortSignal.abort() } }));
  const [acquire, attempt, operation, failed] = spans.getFinishedSpans().filter(({ name }) => name !== "GET /");
  expect([acquire?.name, attempt?.name, operation?.name]).toEqual(["acquire", "attempt", "SELECT t"]);
  expect(operation?.parentSpanContext?.spanId).toBe(spanId);
  for (const part of [acquire, attempt]) {
    expect(part?.parentSpanContext?.spanId).toBe(operation?.spanContext().spanId);
    expect(part?.spanContext().traceId).toBe(traceId);
  }
  expect(operation?.attributes).toMatchObject({
    "db.system.name": "sqlite",
    "db.query.text": "select a from t where b = ?",
    "server.address": "db.example.com",
  });
  expect(operation?.kind).toBe(2);
  expect(failed?.status.code).toBe(2);
});

test("without a trace of its own, an operation belongs to the span that is active", async () => {
  const { spans, tracerProvider } = provided();
  const above = tracerProvider.getTracer("app").startSpan("GET /");
  const { client } = tracedClient({ tracing: openTelemetry({ tracerProvider }) });
  context.setGlobalContextManager(new OneContext() as never);
  try {
    await context.with(trace.setSpan(context.active(), above), () => client.execute("SELECT 1"));
  } finally {
    context.disable();
  }
  const operation = spans.getFinishedSpans().find(({ name }) => name === "SELECT");
  expect(operation?.parentSpanContext?.spanId).toBe(above.spanContext().spanId);
});

test("durations and the pool are metrics of the application, by the names of the conventions", async () => {
  const { metrics, reader, tracerProvider, meterProvider } = provided();
  const { client } = tracedClient({ tracing: openTelemetry({ tracerProvider, meterProvider }) });
  const end = observePool(client.seawall, { pool: "primary", meterProvider });
  await client.execute("SELECT a FROM t");
  await reader.forceFlush();
  const found = metrics.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  const named = (name: string) => found.find(({ descriptor }) => descriptor.name === name);
  expect(named("db.client.operation.duration")?.dataPoints[0]).toMatchObject({
    attributes: { "db.operation.name": "SELECT", "db.collection.name": "t", "db.system.name": "sqlite" },
    value: { count: 1, buckets: { boundaries: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10] } },
  });
  expect(Object.keys(named("db.client.operation.duration")?.dataPoints[0]?.attributes ?? {})).not.toContain(
    "db.query.text",
  );
  expect(named("db.client.connection.wait_time")?.dataPoints[0]?.value).toMatchObject({ count: 1 });
  const states = named("db.client.connection.count")?.dataPoints.map(
    ({ attributes }) => attributes["db.client.connection.state"],
  );
  expect(states?.sort()).toEqual(["idle", "used"]);
  for (const name of ["idle.min", "max", "pending_requests", "timeouts"]) {
    expect(named(`db.client.connection.${name}`)?.dataPoints).toHaveLength(1);
  }
  end();
});

/** Keeps one context for the length of a synchronous call. */
class OneContext {
  #active: unknown;

  active() {
    return this.#active ?? Object.assign(Object.create(null), { getValue: () => undefined, setValue: contextWith });
  }

  with(own: unknown, work: () => unknown) {
    this.#active = own;
    try {
      return work();
    } finally {
      this.#active = undefined;
    }
  }

  bind(_: unknown, target: unknown) {
    return target;
  }

  enable() {
    return this;
  }

  disable() {
    return this;
  }
}

function contextWith(key: symbol, value: unknown) {
  return { getValue: (asked: symbol) => (asked === key ? value : undefined), setValue: contextWith };
}
