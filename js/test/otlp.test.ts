// Spans to a collector: what is sent, when, and what becomes of it when the collector does not take it. Time is hand-set.

import { describe, expect, test, vi } from "vitest";
import { type OtlpOptions, OtlpTracer } from "../src/telemetry/otlp.ts";
import { handSetClock, platformOf, START, settle } from "./guards.ts";
import { tracedClient } from "./traced.ts";

handSetClock();

// biome-ignore lint/suspicious/noExplicitAny: tests look into it freely.
type Sent = { url: string; headers: Headers; body: any };

/** A tracer in front of a collector that answers with these statuses, the last of them for ever. */
function collected(options: OtlpOptions = {}, answers: (Response | Error | "hangs")[] = [], variables = {}) {
  const sent: Sent[] = [];
  const kept: Promise<unknown>[] = [];
  const fetch = async (url: string, init: RequestInit) => {
    sent.push({ url, headers: new Headers(init.headers), body: JSON.parse(String(init.body)) });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer instanceof Error) throw answer;
    if (answer === "hangs") return new Promise<Response>(() => {});
    return answer?.clone() ?? new Response("{}");
  };
  const platform = platformOf({
    waitUntil: (work) => kept.push(work),
    variable: (name) => (variables as Record<string, string>)[name],
  });
  const tracer = new OtlpTracer({ endpoint: "http://collector:4318", fetch, ...options }, platform);
  const end = (name = "SELECT t", parent?: Parameters<OtlpTracer["begin"]>[0]["parent"]) =>
    tracer.begin({ name, kind: "client", parent, attributes: { a: "b" }, beganMs: START }).end(START + 5, { n: 1.5 });
  const spansOf = ({ body }: Sent) => body.resourceSpans[0].scopeSpans[0].spans;
  return { tracer, sent, kept, end, spansOf };
}

describe("what is sent", () => {
  test("TRC-01: ids in hexadecimal, times in nanoseconds as text, kinds as numbers", async () => {
    const { tracer, sent, end, spansOf } = collected({ serviceName: "shop", resource: { "deployment.id": "7" } });
    const parent = {
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331",
      isSampled: true,
      state: "a=1",
    };
    end("SELECT t", parent);
    await tracer.flush();
    const [request] = sent as [Sent];
    expect(request.url).toBe("http://collector:4318/v1/traces");
    expect(request.headers.get("content-type")).toBe("application/json");
    expect(request.body.resourceSpans[0].resource.attributes).toEqual([
      { key: "service.name", value: { stringValue: "shop" } },
      { key: "deployment.id", value: { stringValue: "7" } },
    ]);
    expect(spansOf(request)).toEqual([
      {
        traceId: parent.traceId,
        spanId: expect.stringMatching(/^[0-9a-f]{16}$/),
        traceState: "a=1",
        parentSpanId: parent.spanId,
        flags: 1,
        name: "SELECT t",
        kind: 3,
        startTimeUnixNano: `${START}000000`,
        endTimeUnixNano: `${START + 5}000000`,
        attributes: [
          { key: "a", value: { stringValue: "b" } },
          { key: "n", value: { doubleValue: 1.5 } },
        ],
      },
    ]);
  });

  test("where to, by the standard variables; options win", async () => {
    const variables = {
      OTEL_EXPORTER_OTLP_ENDPOINT: "https://otel.example.com/base/",
      OTEL_EXPORTER_OTLP_HEADERS: "x-key=a%20b, Other=c=d",
      OTEL_SERVICE_NAME: "from-variable",
    };
    const { tracer, sent, end } = collected({ endpoint: undefined }, [], variables);
    end();
    await tracer.flush();
    expect(sent[0]?.url).toBe("https://otel.example.com/base/v1/traces");
    expect(sent[0]?.headers.get("x-key")).toBe("a b");
    expect(sent[0]?.headers.get("other")).toBe("c=d");
    expect(JSON.stringify(sent[0]?.body.resourceSpans[0].resource)).toContain("from-variable");
    const whole = collected({ endpoint: undefined }, [], {
      ...variables,
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://traces.example.com/here",
    });
    whole.end();
    await whole.tracer.flush();
    expect(whole.sent[0]?.url).toBe("https://traces.example.com/here");
  });

  test.each([
    ["no address", { endpoint: "collector" }],
    ["another protocol", { endpoint: "ftp://collector" }],
    ["credentials in it", { endpoint: "https://user:hunter2@collector" }],
    ["a header that none can carry", { headers: { "x-key": "hunter2\n" + "é\u0100" } }],
    ["a share above 1", { sampleRatio: 2 }],
  ])("%s is refused in words that repeat nothing", (_, options) => {
    expect(() => collected(options)).toThrow(/^invalid configuration: tracing\./);
    expect(() => collected(options)).not.toThrow(/hunter2/);
  });

  test("H140: a trace that its beginner does not record is not sent, and the share holds for those that begin here", async () => {
    const { tracer, sent, end } = collected({ sampleRatio: 0 });
    end();
    end("SELECT t", { traceId: "1".repeat(32), spanId: "2".repeat(16), isSampled: false, state: "" });
    await tracer.flush();
    expect(sent).toEqual([]);
    end("SELECT t", { traceId: "1".repeat(32), spanId: "2".repeat(16), isSampled: true, state: "" });
    await tracer.flush();
    expect(sent).toHaveLength(1);
  });
});

describe("when it is sent", () => {
  test("after a second, in the background, in one request", async () => {
    const { sent, kept, end, spansOf } = collected();
    for (let spans = 0; spans < 10; spans += 1) end();
    expect(kept).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(999);
    expect(sent).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await Promise.all(kept);
    expect(sent.map((request) => spansOf(request).length)).toEqual([10]);
    end();
    expect(kept).toHaveLength(2);
  });

  test("at once when a batch is full", async () => {
    const { tracer, sent, kept, end, spansOf } = collected();
    for (let spans = 0; spans < 513; spans += 1) end();
    await settle();
    expect(sent.map((request) => spansOf(request).length)).toEqual([512]);
    await tracer.flush();
    await Promise.all(kept.slice(1));
    expect(tracer.status()).toEqual({ waiting: 0, sent: 513, dropped: 0 });
  });

  test("a timer whose request is gone is replaced by the next request's", async () => {
    const { kept, end } = collected();
    end();
    // As when the runtime has dropped the request with its timers.
    vi.clearAllTimers();
    vi.setSystemTime(START + 3_001);
    end();
    expect(kept).toHaveLength(2);
  });
});

describe("a collector that does not take it", () => {
  test("is asked again when it says so, after as long as it says", async () => {
    const busy = new Response("", { status: 429, headers: { "retry-after": "7" } });
    const { tracer, sent, end } = collected({}, [busy, new Response("{}")]);
    end();
    const flushed = tracer.flush();
    await settle();
    await vi.advanceTimersByTimeAsync(6_999);
    expect(sent).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    await flushed;
    expect(sent).toHaveLength(2);
    expect(sent[1]?.body).toEqual(sent[0]?.body);
    expect(tracer.status()).toEqual({ waiting: 0, sent: 1, dropped: 0 });
  });

  test("three times at most, and what it does not take is counted", async () => {
    const { tracer, sent, end } = collected({}, [new Error("no")]);
    end();
    const flushed = tracer.flush();
    await vi.advanceTimersByTimeAsync(10_000);
    await flushed;
    expect(sent).toHaveLength(3);
    expect(tracer.status()).toEqual({ waiting: 0, sent: 0, dropped: 1 });
  });

  test.each([
    ["400", new Response("", { status: 400 })],
    ["a redirect", new Response("", { status: 302, headers: { location: "http://elsewhere" } })],
    ["a pause of an hour", new Response("", { status: 503, headers: { "retry-after": "3600" } })],
  ])("is not asked again after %s", async (_, answer) => {
    const { tracer, sent, end } = collected({}, [answer]);
    end();
    await tracer.flush();
    expect(sent).toHaveLength(1);
    expect(tracer.status().dropped).toBe(1);
  });

  test("holds up nobody: the queue is bounded, and the operation has long ended", async () => {
    const { tracer, sent, end, spansOf } = collected({}, ["hangs"]);
    for (let spans = 0; spans < 10_000; spans += 1) end();
    await settle();
    const inFlight = sent.reduce((sum, request) => sum + spansOf(request).length, 0);
    const { waiting, dropped } = tracer.status();
    expect(waiting + inFlight).toBe(2_048);
    expect(dropped).toBe(10_000 - 2_048);
    // Whoever was sending has left, as requests on Workers do: there is room again.
    vi.setSystemTime(START + 60_001);
    end();
    expect(tracer.status().dropped).toBe(dropped);
  });
});

test("a client sends its spans by itself, and its own requests to the collector are no spans", async () => {
  const sent: string[] = [];
  const fetch = async (_: string, init: RequestInit) => {
    sent.push(String(init.body));
    return new Response("{}");
  };
  const { client } = tracedClient({
    tracing: { tracer: undefined as never, endpoint: "http://collector:4318", fetch },
  });
  await client.execute("SELECT a FROM t");
  await client.seawall.telemetry.flush();
  await client.seawall.telemetry.flush();
  expect(sent).toHaveLength(1);
  const names = [...(sent[0] as string).matchAll(/"name":"([^"]*)"/g)].map(([, name]) => name);
  expect(names).toEqual(["seawall", "acquire", "attempt", "SELECT t"]);
  expect(client.seawall.telemetry.status()).toEqual({ spans: { waiting: 0, sent: 3, dropped: 0 } });
});
