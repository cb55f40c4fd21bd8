// W3C Trace Context: the cases that the Rust twin is held to as well, and how a carrier is read.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseTraceContext, traceContextOf, traceparentOf } from "../src/telemetry/trace-context.ts";

interface Case {
  about: string;
  traceparent: string;
  tracestate: [string, number][];
  expect: unknown;
}
const CASES: Case[] = JSON.parse(
  readFileSync(new URL("../../tests/conformance/trace-context.json", import.meta.url), "utf8"),
);
const PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

test.each(CASES)("H140: $about", ({ traceparent, tracestate, expect: expected }) => {
  const state = tracestate.map(([text, times]) => text.repeat(times)).join("");
  const found = parseTraceContext(traceparent, state);
  expect(found === undefined ? null : { ...found, traceparent: traceparentOf(found) }).toEqual(expected);
});

describe("a carrier", () => {
  test("H140: two headers of one name are none, and nothing of them is kept", () => {
    const headers = new Headers({ tracestate: "a=1" });
    headers.append("traceparent", PARENT);
    headers.append("traceparent", PARENT);
    expect(traceContextOf(headers)).toBeUndefined();
    expect(traceContextOf({ traceparent: [PARENT, PARENT] })).toBeUndefined();
  });

  test("may be headers of any kind, a text, or what was read before", () => {
    const expected = parseTraceContext(PARENT, "a=1");
    expect(traceContextOf(new Headers({ traceparent: PARENT, tracestate: "a=1" }))).toEqual(expected);
    expect(traceContextOf({ traceparent: PARENT, tracestate: "a=1" })).toEqual(expected);
    expect(traceContextOf(expected)).toEqual(expected);
    expect(traceContextOf(PARENT)).toEqual({ ...expected, state: "" });
  });

  test.each([undefined, null, "", 7, [], {}, { traceparent: 7 }, { traceId: "x", spanId: "y" }, new Headers()])(
    "that tells nothing is nothing: %j",
    (carrier) => {
      expect(traceContextOf(carrier as never)).toBeUndefined();
    },
  );
});
