// A client whose spans and records are kept, in front of a server that answers as a test says.

import { type Config, openClient } from "../src/client.ts";
import type { SeawallOptions } from "../src/config/options.ts";
import type { Platform } from "../src/platform/platform.ts";
import type { LogRecord } from "../src/telemetry/logger.ts";
import type { Attributes, SpanBeginning, Tracer, TraceSpan } from "../src/telemetry/span.ts";
import type { TraceContext } from "../src/telemetry/trace-context.ts";
import { type Asked, obliging } from "./fake-server.ts";
import { platformOf } from "./guards.ts";

/** A span that was made, and how it ended. */
export interface Kept extends SpanBeginning {
  context: TraceContext;
  endedMs?: number;
  all: Attributes;
  failure: string | undefined;
}

/** Keeps every span, in the order in which they began. */
export class Recorder implements Tracer {
  readonly spans: Kept[] = [];

  begin(beginning: SpanBeginning): TraceSpan {
    const number = this.spans.length + 1;
    const traceId = beginning.parent?.traceId ?? number.toString(16).padStart(32, "a");
    const { isSampled = true, state = "" } = beginning.parent ?? {};
    const context = { traceId, spanId: number.toString(16).padStart(16, "b"), isSampled, state };
    const kept: Kept = { ...beginning, context, all: beginning.attributes, failure: undefined };
    this.spans.push(kept);
    return {
      context,
      end: (endedMs, attributes, failure) => {
        if (kept.endedMs !== undefined) throw new Error(`${kept.name} has ended twice`);
        Object.assign(kept, { endedMs, all: { ...kept.attributes, ...attributes }, failure });
      },
    };
  }

  named(name: string): Kept[] {
    return this.spans.filter((span) => span.name === name);
  }

  /** Names, indented below what they are a part of. */
  tree(): string[] {
    const depthOf = ({ parent }: Kept): number => {
      const above = this.spans.find(({ context }) => context.spanId === parent?.spanId);
      return above === undefined ? 0 : 1 + depthOf(above);
    };
    return this.spans.map((span) => "  ".repeat(depthOf(span)) + span.name);
  }
}

/** See the head of this file. */
export function tracedClient(
  options: SeawallOptions = {},
  answer: (asked: Asked) => unknown = obliging,
  config: Partial<Config> = {},
  platform: Partial<Platform> = {},
) {
  const tracer = new Recorder();
  const records: LogRecord[] = [];
  const asked: Asked[] = [];
  const fetch = async (request: Request) => {
    const one = { url: request.url, headers: request.headers, signal: request.signal, body: await request.json() };
    asked.push(one);
    const given = await answer(one);
    return given instanceof Response ? given : Response.json(given);
  };
  const seawall: SeawallOptions = {
    ...options,
    tracing: { enabled: true, tracer, ...options.tracing },
    logging: { sink: (record) => records.push(record), ...options.logging },
  };
  const opened = openClient({ url: "https://db.example.com", fetch, ...config, seawall }, platformOf(platform));
  return { ...opened, tracer, records, asked };
}
