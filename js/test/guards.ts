// A guard on a hand-set clock, and attempts that end as a test says.

import { afterEach, beforeEach, expect, vi } from "vitest";
import type { SeawallOptions } from "../src/config/options.ts";
import type { Driver } from "../src/driver.ts";
import { attachFailure, LibsqlError, type ResilienceError } from "../src/errors.ts";
import { Core } from "../src/generated/core.js";
import { createGuard } from "../src/guard.ts";
import type { AttemptContext, Operation } from "../src/operation.ts";
import type { Platform } from "../src/platform/platform.ts";

/** When every test begins, in milliseconds. */
export const START = 1_795_000_000_000;

export const READ: Operation = { class: "query", kind: "read" };
export const WRITE: Operation = { class: "query", kind: "write" };
export const ONE_LEASE: SeawallOptions = { connectionPool: { maxConnections: 1 } };

/** Gives the tests of a file a clock that only they move. */
export function handSetClock(): void {
  beforeEach(() => {
    vi.useFakeTimers({ now: START, toFake: ["setTimeout", "clearTimeout", "Date"] });
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });
}

let seed = 7;

/** A guard of its own, in development unless told otherwise. */
export function guardOf(options: SeawallOptions = {}, overrides: Partial<Platform> = {}, database = "driver"): Driver {
  return createGuard(options, database, platformOf(overrides));
}

/** The hand-set clock as a platform. */
export function platformOf(overrides: Partial<Platform> = {}): Platform {
  return {
    name: "unknown",
    now: () => Date.now(),
    randomBits: () => {
      seed += 1;
      return seed;
    },
    isPolling: false,
    connectionsMax: undefined,
    waitUntil: () => {},
    environment: () => "development",
    colo: () => undefined,
    ...overrides,
  };
}

/** An attempt that ends when the test says so. */
export interface Hanging {
  cx: AttemptContext;
  resolve(value: string): void;
  reject(error: unknown): void;
}

/** An attempt that hangs, and the list of those that were made. */
export function hanging(): { made: Hanging[]; attempt: (cx: AttemptContext) => Promise<string> } {
  const made: Hanging[] = [];
  const attempt = (cx: AttemptContext) =>
    new Promise<string>((resolve, reject) => {
      made.push({ cx, resolve, reject });
    });
  return { made, attempt };
}

/** A failure as the transport reports it. */
export function failed(code: string, status: number, sent = true): LibsqlError {
  return attachFailure(new LibsqlError("as the server said", code), { status, code, sent });
}

/** An attempt that the server answers with 503. */
export const unavailable = async (): Promise<never> => {
  throw failed("SERVER_ERROR", 503);
};

/** What a promise rejects with; fails the test when it resolves. */
export async function rejection(work: Promise<unknown>): Promise<ResilienceError> {
  return work.then(
    (value) => {
      throw new Error(`resolved with ${String(value)}`);
    },
    (error) => error,
  );
}

/** Lets everything happen that needs no timer. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
}

/** Lets three attempts fail. */
export async function openCircuit(guard: Driver): Promise<void> {
  for (let failures = 0; failures < 3; failures += 1) {
    await rejection(guard.run({ ...WRITE, held: true }, unavailable));
  }
  expect(guard.status().breaker.state).toBe("OPEN");
}

/** Lets the core trap at the next call of one method. */
export function trap(method: keyof Core): void {
  vi.spyOn(Core.prototype, method as "look").mockImplementationOnce(() => {
    throw new WebAssembly.RuntimeError("unreachable");
  });
}
