import { describe, expect, test } from "vitest";
import type { SeawallOptions } from "../src/config/options.ts";
import { createGuard } from "../src/index.ts";
import { platform } from "../src/platform/platform.ts";
import { settingsOf } from "../src/settings.ts";

const odd = (options: object) => createGuard(options as SeawallOptions, "db");

describe("settings cross as lines and numbers", () => {
  test("one line and one number for each group and value, after four numbers about the runtime", () => {
    const { lines, numbers, database } = settingsOf(
      { environment: "production", retry: { attempts: 3 }, hedge: {} },
      "a database",
      { ...platform, isPolling: true, connectionsMax: 6, environment: () => "preview", variable: () => undefined },
    );
    expect(lines.split("\n")).toEqual([
      'environment\t\t"production"',
      "retry\t\t{}",
      "retry\tattempts\t3",
      "hedge\t\t{}",
      "state\t\t{}",
      "state\tnear\tfalse",
      'environment\t\t"preview"\tthis host',
    ]);
    const none = Number.NaN;
    expect([...numbers]).toEqual([0, 1, 0, 6, none, none, 3, none, none, none, none]);
    expect(database).toBe("a database");
  });

  test.each([
    [{ retry: 7 }, "retry: no such group of settings, or not an object"],
    [{ retry: [] }, "retry: no such group of settings, or not an object"],
    [{ "retry.attempts": 7 }, "retry.attempts: no such group of settings"],
    [{ retry: { "attempts\t3\nhedge\tdelay": 7 } }, "retry.attempts?3?hedge?delay: no such setting"],
    [{ retry: { attempts: "3" } }, 'retry.attempts must be a whole number from 1 to 100, got "3"'],
    [{ retry: { attempts: Number.NaN } }, "retry.attempts must be a whole number from 1 to 100, got null"],
    [{ retry: { attempts: {} } }, "retry.attempts must be a whole number from 1 to 100, got {}"],
    [{ retry: { jitter: true } }, "retry.jitter must be a number from 0 to 1, got true"],
    [{ hedge: { maxRatio: -0.5 } }, "hedge.maxRatio must be a number from 0 to 1, got -0.5"],
    [{ state: { probesPerWindow: 0 } }, "state.probesPerWindow must be a number from 0.1 to 1000, got 0"],
    [{ connectionPool: { enabled: "true" } }, 'connectionPool.enabled must be true or false, got "true"'],
    [
      { circuitBreaker: { failureRate: 0.123456, errorThresholdPercentage: 12.5 } },
      "two names of one setting and differ: 0.123456 and 0.125",
    ],
  ])("%j is refused with its reason", (options, message) => {
    expect(() => odd(options)).toThrow(message);
  });

  test("all problems are named at once", () => {
    expect(() => odd({ retry: { attempts: 0, jitter: 2 } })).toThrow(/retry\.attempts .*; retry\.jitter /);
  });
});

test("the mean duration of a minute's attempts is told with its fraction", async () => {
  let now = 1_700_000_000_000;
  const guard = createGuard({}, "db", { ...platform, now: () => now });
  for (const ms of [1, 2, 2]) {
    await guard.call(async () => {
      now += ms;
    });
  }
  expect(guard.status().recent).toMatchObject({ healthy: 3, durationMs: 5, averageMs: 5 / 3 });
});
