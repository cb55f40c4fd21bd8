// The stories in tests/conformance/steps, told by this driver on a hand-set clock.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { SeawallOptions } from "../src/config/options.ts";
import type { Driver } from "../src/driver.ts";
import { attachFailure, LibsqlError, ResilienceError } from "../src/errors.ts";
import { createGuard } from "../src/guard.ts";
import type { Operation } from "../src/operation.ts";
import type { Platform } from "../src/platform/platform.ts";

interface Told {
  after: number;
  class: Operation["class"];
  kind: Operation["kind"];
  held?: boolean;
  timeout?: number;
  attempts: { takes?: number; hangs?: true; status?: number; code?: string; sent?: boolean }[];
  expect: string[];
  beside?: Told[];
}

interface Story {
  about: string;
  settings: SeawallOptions;
  polling: boolean;
  operations: Told[];
}

const FOLDER = fileURLToPath(new URL("../../tests/conformance/steps/", import.meta.url));
const STORIES = readdirSync(FOLDER).filter((name) => name.endsWith(".json"));
/** Codes of errors that the driver makes of a step `Done`; all others of its own are refusals. */
const ENDINGS = ["OUTCOME_UNKNOWN", "DEADLINE_EXCEEDED", "RETRIES_EXHAUSTED"];

beforeEach(() => {
  vi.useFakeTimers({ now: 1_795_000_000_000, toFake: ["setTimeout", "clearTimeout", "Date"] });
});

afterEach(() => {
  vi.useRealTimers();
});

function platform(isPolling: boolean): Platform {
  return {
    name: "unknown",
    now: () => Date.now(),
    randomBits: () => 7,
    isPolling,
    connectionsMax: undefined,
    waitUntil: () => {},
    environment: () => "production",
    colo: () => undefined,
  };
}

/** Carries one operation out and tells what the driver did. */
async function tell(guard: Driver, told: Told): Promise<string[]> {
  const start = Date.now();
  const trace: string[] = [];
  const operation: Operation = {
    class: told.class,
    kind: told.kind,
    held: told.held ?? false,
    timeoutMs: told.timeout,
  };
  let made = 0;
  let endedAt = start;
  try {
    await guard.run(operation, (cx) => {
      const attempt = told.attempts[made];
      if (made > 0) trace.push(`wait ${Date.now() - endedAt}`);
      trace.push(`attempt ${cx.timeoutMs}`);
      made += 1;
      if (attempt === undefined) throw new Error("an attempt that the story does not tell of");
      if (attempt.hangs) return new Promise<string>(() => {});
      return new Promise<string>((resolve, reject) => {
        setTimeout(() => {
          endedAt = Date.now();
          if (attempt.status === undefined) return resolve("value");
          const code = attempt.code as string;
          const failure = { status: attempt.status, code, sent: attempt.sent as boolean };
          reject(attachFailure(new LibsqlError("as told", code), failure));
        }, attempt.takes);
      });
    });
    trace.push(`value at ${Date.now() - start}`);
  } catch (error) {
    if (!(error instanceof LibsqlError)) throw error;
    const word = error instanceof ResilienceError ? (ENDINGS.includes(error.code) ? "ended" : "refused") : "error";
    trace.push(`${word} ${error.code} at ${Date.now() - start}`);
  }
  expect(made, "attempts").toBe(told.attempts.length);
  return trace;
}

test.each(STORIES)("%s", async (name) => {
  const story = JSON.parse(readFileSync(FOLDER + name, "utf8")) as Story;
  const guard = createGuard(story.settings, "story", platform(story.polling));
  for (const told of story.operations) {
    await vi.advanceTimersByTimeAsync(told.after);
    const all = [told, ...(told.beside ?? [])];
    const traces = Promise.all(all.map((one) => tell(guard, one)));
    await vi.runAllTimersAsync();
    expect(await traces, story.about).toEqual(all.map((one) => one.expect));
  }
});
