// What the spans of an operation say: the stories that the Worker's spans are held to as well.

import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { attachFailure, LibsqlError, makeError } from "../src/errors.ts";
import { type AttemptContext, HEALTH_CHECK } from "../src/operation.ts";
import { placeOf } from "../src/telemetry/describe.ts";
import { Observer } from "../src/telemetry/observer.ts";
import { OtlpTracer } from "../src/telemetry/otlp.ts";
import { Redactor } from "../src/telemetry/redact.ts";
import { handSetClock, platformOf, START } from "./guards.ts";

interface Step {
  begin?: number;
  answer?: number;
  fail?: number;
  end?: number;
  policy?: string;
  code?: string;
  status?: number;
}
interface Case {
  about: string;
  url: string;
  database: string;
  traceparent: string;
  tracestate: string;
  story: Step[];
  expect: unknown[];
}
// biome-ignore lint/suspicious/noExplicitAny: tests look into it freely.
type Span = any;

const CASES: Case[] = JSON.parse(readFileSync(new URL("../../tests/conformance/spans.json", import.meta.url), "utf8"));

handSetClock();

/** What the database, or something in front of it, said. */
function said({ code, status = 0 }: Step): Error | undefined {
  if (code === undefined) return undefined;
  return attachFailure(new LibsqlError("it failed", code), { status, code, sent: true });
}

test.each(CASES)("TRC-01: $about", async ({ url, database, traceparent, tracestate, story, expect: expected }) => {
  const spans: Span[] = [];
  const platform = platformOf();
  const fetch = async (_: string, { body }: RequestInit) => {
    spans.push(...JSON.parse(String(body)).resourceSpans[0].scopeSpans[0].spans);
    return new Response("{}");
  };
  const tracer = new OtlpTracer({ endpoint: "http://collector:4318", fetch }, platform);
  const place = placeOf("sqlite", database, new URL(url));
  const rest = { platform, meter: undefined, logger: undefined, redactor: new Redactor() };
  const observer = new Observer({
    place,
    tracer,
    ...rest,
    propagates: true,
    tellsMessages: false,
    isForDetailsAlone: false,
  });
  const headers: Record<string, string>[] = [];
  const operation = { ...HEALTH_CHECK, trace: { traceparent, tracestate } };
  const steps = [...story];
  const ended = observer.run(
    operation,
    async (cx: AttemptContext) => {
      headers.push({ ...cx.traceHeaders });
      const step = steps.shift() as Step;
      vi.setSystemTime(START + ((step.answer ?? step.fail) as number));
      const error = said(step);
      if (error !== undefined) throw error;
    },
    async (own, attempt) => {
      const signal = new AbortController().signal;
      for (let number = 1; steps[0]?.begin !== undefined; number += 1) {
        vi.setSystemTime(START + (steps.shift()?.begin as number));
        await attempt({ signal, timeoutMs: 0, attempt: number, connection: 0 }).catch(() => {});
      }
      const last = steps.shift() as Step;
      vi.setSystemTime(START + (last.end as number));
      expect(own.isObserved).toBe(true);
      const cause = said(last);
      if (last.policy !== undefined) throw makeError(last.policy, "it failed", { cause } as never);
      if (cause !== undefined) throw cause;
      return undefined as never;
    },
  );
  await ended.catch(() => {});
  await tracer.flush();
  const parent = traceparent === "" ? "" : tracestate;
  expect(spans.map((span) => seen(span, spans, parent))).toEqual(expected);
  const attempts = spans.filter(({ name }) => name === "attempt");
  headers.forEach(({ traceparent: told = "", tracestate: state = "" }, index) => {
    if (traceparent !== "") expect(told.slice(0, 36)).toBe(traceparent.slice(0, 36));
    if (attempts[index] !== undefined) expect(told.slice(36, 52)).toBe(attempts[index].spanId);
    expect(state).toBe(parent);
  });
});

/** A span without what differs from time to time. */
function seen(span: Span, spans: Span[], state: string): unknown {
  expect(span.traceState ?? "").toBe(state);
  const above = spans.find(({ spanId }) => spanId === span.parentSpanId);
  const ms = (nanoseconds: string) => Number(nanoseconds.slice(0, -6)) - START;
  const given = ({ intValue, stringValue }: Span) => (intValue === undefined ? stringValue : Number(intValue));
  const attributes = Object.fromEntries(span.attributes.map(({ key, value }: Span) => [key, given(value)]));
  return {
    name: span.name,
    kind: span.kind,
    above: above?.name ?? span.parentSpanId ?? null,
    from: ms(span.startTimeUnixNano),
    to: ms(span.endTimeUnixNano),
    attributes,
    ...(span.status === undefined ? {} : { status: span.status.code }),
  };
}
