// Spans to a collector by OTLP/HTTP in JSON: names in camelCase, ids in hexadecimal, 64-bit numbers as text.

import { type Platform, platform as thisPlatform } from "../platform/platform.ts";
import { ExportQueue } from "./export-queue.ts";
import type { Attributes, AttributeValue, ExportStatus, SpanBeginning, Tracer, TraceSpan } from "./span.ts";
import type { TraceContext } from "./trace-context.ts";

/** Where spans are sent. */
export interface OtlpOptions {
  /**
   * The collector's address, such as `https://otel.example.com:4318`; `/v1/traces` is added. Default:
   * `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` as it is, or `OTEL_EXPORTER_OTLP_ENDPOINT`.
   */
  endpoint?: string | undefined;
  /** Headers of each request, such as a key. Default: `OTEL_EXPORTER_OTLP_HEADERS`. Never logged. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Default: `OTEL_SERVICE_NAME`, else `unknown_service`. */
  serviceName?: string | undefined;
  /** What else is said of this service. */
  resource?: Attributes | undefined;
  /** Share of traces that are recorded, 0 to 1, of those that begin here; 1 by default. */
  sampleRatio?: number | undefined;
  /** Sends the requests; the runtime's `fetch` by default. */
  fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
}

const SCOPE = { name: "seawall" };
const KINDS = { internal: 1, client: 3 } as const;
const STATUS_ERROR = 2;
const NANOSECONDS = "000000";

/** One span in OTLP's JSON. */
interface OtlpSpan {
  traceId: string;
  spanId: string;
  traceState?: string;
  parentSpanId?: string;
  flags: number;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: KeyValue[];
  status?: { code: number; message?: string };
}

interface KeyValue {
  key: string;
  value: { stringValue: string } | { intValue: string } | { doubleValue: number } | { boolValue: boolean };
}

/**
 * Sends spans to a collector by OTLP/HTTP, in the background: `tracing: { enabled: true, tracer: otlpTracer({ … }) }`.
 * One tracer may serve any number of clients. What the collector does not take is counted and dropped.
 *
 * @throws Error when there is no endpoint, or it is no address.
 */
export function otlpTracer(options: OtlpOptions = {}): Tracer {
  return new OtlpTracer(options, thisPlatform);
}

/** See {@link otlpTracer}. */
export class OtlpTracer implements Tracer {
  readonly #platform: Platform;
  readonly #sampleRatio: number;
  readonly #queue: ExportQueue<OtlpSpan>;

  constructor(options: OtlpOptions, platform: Platform) {
    const { url, headers, sampleRatio } = checked(options, platform);
    this.#platform = platform;
    this.#sampleRatio = sampleRatio;
    const serviceName = options.serviceName ?? (platform.variable?.("OTEL_SERVICE_NAME") || "unknown_service");
    const resource = { attributes: keyValues({ "service.name": serviceName, ...options.resource }) };
    const send = options.fetch ?? ((to: string, init: RequestInit) => fetch(to, init));
    this.#queue = new ExportQueue(platform, (spans, signal) => {
      const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ scope: SCOPE, spans }] }] });
      return send(url, { method: "POST", headers, body, signal, redirect: "manual" });
    });
  }

  begin(beginning: SpanBeginning): TraceSpan {
    const { parent } = beginning;
    const traceId = parent?.traceId ?? this.#id(16);
    const isSampled = parent?.isSampled ?? this.#isChosen(traceId);
    const context = { traceId, spanId: this.#id(8), isSampled, state: parent?.state ?? "" };
    return { context, end: isSampled ? (...end) => this.#queue.push(spanOf(beginning, context, ...end)) : () => {} };
  }

  flush(): Promise<void> {
    return this.#queue.flush();
  }

  status(): ExportStatus {
    return this.#queue.status();
  }

  #isChosen(traceId: string): boolean {
    // Its last 56 bits are random, as the second level of Trace Context wants them.
    return Number.parseInt(traceId.slice(-12), 16) < this.#sampleRatio * 2 ** 48;
  }

  /** Random digits for so many bytes; never all zero. */
  #id(bytes: number): string {
    let id = "";
    while (id.length < bytes * 2) id += (this.#platform.randomBits() >>> 0).toString(16).padStart(8, "0");
    return /^0+$/.test(id) ? `${id.slice(1)}1` : id;
  }
}

function spanOf(
  { name, kind, parent, attributes, beganMs }: SpanBeginning,
  { traceId, spanId, isSampled, state }: TraceContext,
  endedMs: number,
  more: Attributes,
  failure: string | undefined,
): OtlpSpan {
  return {
    traceId,
    spanId,
    ...(state === "" ? {} : { traceState: state }),
    ...(parent === undefined ? {} : { parentSpanId: parent.spanId }),
    flags: Number(isSampled),
    name,
    kind: KINDS[kind],
    startTimeUnixNano: nanoseconds(beganMs),
    // A clock may have stepped back.
    endTimeUnixNano: nanoseconds(Math.max(endedMs, beganMs)),
    attributes: keyValues({ ...attributes, ...more }),
    ...(failure === undefined ? {} : { status: { code: STATUS_ERROR } }),
  };
}

function nanoseconds(ms: number): string {
  return `${Math.max(Math.round(ms), 0)}${NANOSECONDS}`;
}

function keyValues(attributes: Attributes): KeyValue[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: anyValue(value) }));
}

function anyValue(value: AttributeValue): KeyValue["value"] {
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "string") return { stringValue: value };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

/** Options and variables, checked. No message repeats a value: addresses and headers may hold secrets. */
function checked(options: OtlpOptions, { variable }: Platform) {
  const read = (name: string) => variable?.(name)?.trim() || undefined;
  const own = options.endpoint ?? read("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") ?? read("OTEL_EXPORTER_OTLP_ENDPOINT");
  if (own === undefined) {
    throw new Error(
      "invalid configuration: tracing is on and has nowhere to send spans; set tracing.endpoint, tracing.tracer or OTEL_EXPORTER_OTLP_ENDPOINT",
    );
  }
  const isWhole = options.endpoint === undefined && read("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") !== undefined;
  const url = tracesUrl(own, isWhole);
  const variables = read("OTEL_EXPORTER_OTLP_TRACES_HEADERS") ?? read("OTEL_EXPORTER_OTLP_HEADERS") ?? "";
  const headers = { ...headersOf(variables), ...options.headers, "content-type": "application/json" };
  const { sampleRatio = 1 } = options;
  if (!(sampleRatio >= 0 && sampleRatio <= 1)) {
    throw new Error("invalid configuration: tracing.sampleRatio must be a number between 0 and 1");
  }
  try {
    new Headers(headers);
  } catch {
    throw new Error("invalid configuration: tracing.headers hold what no HTTP header can carry");
  }
  return { url, headers, sampleRatio };
}

function tracesUrl(text: string, isWhole: boolean): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isUsable = url !== undefined && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "";
  if (!isUsable) {
    throw new Error(
      "invalid configuration: tracing.endpoint must be an http: or https: address without credentials; put those into tracing.headers",
    );
  }
  if (!isWhole && !url.pathname.endsWith("/v1/traces")) url.pathname = `${url.pathname.replace(/\/$/, "")}/v1/traces`;
  return url.href;
}

/** `key=value` pairs with commas between them, percent-encoded, as the variable has them. */
function headersOf(text: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const pair of text.split(",")) {
    const equals = pair.indexOf("=");
    if (equals <= 0) continue;
    const value = pair.slice(equals + 1).trim();
    try {
      headers[pair.slice(0, equals).trim().toLowerCase()] = decodeURIComponent(value);
    } catch {
      headers[pair.slice(0, equals).trim().toLowerCase()] = value;
    }
  }
  return headers;
}
