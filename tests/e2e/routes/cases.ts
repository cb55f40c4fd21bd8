// What a line of the table of routes is, and how two answers are compared.
import { expect } from "vitest";
import type { Answered, Asked } from "../hosts.ts";

/** How the database is while a case runs. */
export type State = "well" | "away" | "hanging";

/** One request and what must come back, whichever host answers. */
export interface RouteCase extends Asked {
  /** The IDs of features come first: `HLT-03 and HLT-04: …`. */
  title: string;
  /** `well` without it. */
  state?: State;
  status: number;
  /** Headers of the answer; null for one that must not be there. */
  answers?: Record<string, string | RegExp | null>;
  /** The body: JSON that is equal to this, or text that matches. */
  shape?: unknown;
}

/** A time as documents have it. */
export const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
export const NUMBER = expect.any(Number);

/** Holds an answer to its case. */
export function expectAnswer({ status, answers = {}, shape }: RouteCase, answer: Answered, host: string): void {
  expect(answer.status, `${host}: ${answer.body}`).toBe(status);
  for (const [name, value] of Object.entries(answers)) {
    if (value === null) expect(answer.headers[name], `${host}: ${name}`).toBeUndefined();
    else expect(answer.headers[name], `${host}: ${name}`).toMatch(value);
  }
  if (shape instanceof RegExp || typeof shape === "string") expect(answer.body, host).toMatch(shape);
  else if (shape !== undefined) expect(JSON.parse(answer.body), host).toStrictEqual(shape);
}

/** Headers that belong to the platform and not to the routes. */
const PLATFORMS = ["date", "connection", "keep-alive", "content-length", "transfer-encoding", "content-encoding"];
/** Numbers that depend on when one asks. */
const PASSING =
  /^(?:uptime|uptime_ms|age_ms|memory_bytes|averageQueryTime|successfulQueries|failedQueries|errorRate|successes|failures|requests|timeouts|observedValue|success_rate)$/;

/** The answer without what differs from one moment to the next. */
export function lasting({ status, headers, body }: Answered): unknown {
  const own = Object.entries(headers).filter(([name]) => !PLATFORMS.includes(name));
  return { status, headers: Object.fromEntries(own.sort()), body: withoutTimes(body) };
}

function withoutTimes(body: string): unknown {
  const text = body.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "<time>");
  try {
    return JSON.parse(text, (name, value) => (typeof value === "number" && PASSING.test(name) ? "<number>" : value));
  } catch {
    return text;
  }
}
