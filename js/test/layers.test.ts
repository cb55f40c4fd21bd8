// Seawall's own layers as flags: who goes through the pool, the breaker and the rest, and who goes as if nothing were there.

import { describe, expect, test } from "vitest";
import { fromEnv } from "../src/config/from-env.ts";
import type { SeawallOptions } from "../src/config/options.ts";
import { createFlags, type Flags } from "../src/flags/index.ts";
import { Layers } from "../src/layers.ts";
import type { LogRecord } from "../src/telemetry/logger.ts";
import { guardOf, handSetClock, hanging, openCircuit, READ, rejection, settle, unavailable, WRITE } from "./guards.ts";

handSetClock();

type Rules = Record<string, "on" | "off" | number>;

function documentOf(layers: Rules) {
  const flagOf = (is: "on" | "off" | number) => {
    if (typeof is === "string") return { default: is };
    return { rules: [{ rollout: is, serve: "on" }] };
  };
  return { version: 1, flags: Object.fromEntries(Object.entries(layers).map(([name, is]) => [name, flagOf(is)])) };
}

const flagsOf = (layers: Rules, env = {}) => createFlags({ definitions: documentOf(layers), env });

const ALL: Rules = { ENABLE_CONNECTION_POOL: "on", ENABLE_STATE_MACHINE: "on", ENABLE_CIRCUIT_BREAKER: "on" };

function layered(flags: Flags, options: SeawallOptions = {}) {
  return guardOf({ ...options, layers: { flags } });
}

describe("a layer that is on or off for everybody", () => {
  test("FLG-01: without the pool nobody waits for a lease, with it the second one does", async () => {
    for (const [is, running] of [
      ["off", 2],
      ["on", 1],
    ] as const) {
      const guard = layered(flagsOf({ ...ALL, ENABLE_CONNECTION_POOL: is }), { connectionPool: { maxConnections: 1 } });
      const { made, attempt } = hanging();
      const both = [guard.run(READ, attempt), guard.run(READ, attempt)];
      await settle();
      expect([is, made.length]).toEqual([is, running]);
      for (let ended = 0; ended < 2; ended += 1) {
        made[ended]?.resolve("done");
        await settle();
      }
      expect(await Promise.all(both)).toEqual(["done", "done"]);
    }
  });

  test("FLG-03: without the breaker a circuit that is open refuses nobody, and failures do not count", async () => {
    const off = layered(flagsOf({ ...ALL, ENABLE_CIRCUIT_BREAKER: "off" }));
    for (let failures = 0; failures < 20; failures += 1)
      await rejection(off.run({ ...WRITE, held: true }, unavailable));
    expect(off.status().breaker.state).toBe("CLOSED");
    expect(await off.call(async () => "through")).toBe("through");
    off.forceState("OPEN");
    expect(await off.call(async () => "through")).toBe("through");
    expect(await off.tryCall(async () => "through")).toBe("through");
    const on = layered(flagsOf(ALL));
    await openCircuit(on);
    expect(await rejection(on.call(async () => "through"))).toMatchObject({ code: "CIRCUIT_OPEN" });
    expect(on.tryCall(async () => "through")).toMatchObject({ refused: true });
  });

  test("FLG-04: without monitoring nothing is counted", async () => {
    for (const [is, successful] of [
      ["off", 0],
      ["on", 2],
    ] as const) {
      const guard = layered(flagsOf({ ...ALL, ENABLE_ENTERPRISE_MONITORING: is }));
      await guard.call(async () => "done");
      await guard.run(READ, async () => "done");
      expect([is, guard.status().totals.successful]).toEqual([is, successful]);
    }
  });

  test("FLG-05: details are logged where that layer is on, and failures too", async () => {
    for (const [is, levels] of [
      ["off", []],
      ["on", ["debug", "error"]],
    ] as const) {
      const records: LogRecord[] = [];
      const logging = { sink: (record: LogRecord) => void records.push(record) };
      const guard = layered(flagsOf({ ...ALL, ENABLE_DETAILED_LOGGING: is }), { logging });
      await guard.run(READ, async () => "done");
      await rejection(guard.run({ ...WRITE, held: true }, unavailable));
      expect([is, records.map(({ level }) => level)]).toEqual([is, levels]);
    }
  });

  test("without any of them an operation goes as if nothing were there: no deadline, no second try", async () => {
    const guard = layered(flagsOf({}), { timeouts: { query: 10 }, retry: { attempts: 5 }, hedge: { delay: 1 } });
    let asked = 0;
    const failing = async () => {
      asked += 1;
      return unavailable();
    };
    const error = await rejection(guard.run(READ, failing));
    expect([asked, error.message]).toEqual([1, "SERVER_ERROR: as the server said"]);
    const { made, attempt } = hanging();
    const slow = guard.run(READ, attempt);
    await settle();
    expect(made[0]?.cx.timeoutMs).toBe(0);
    made[0]?.resolve("late");
    expect(await slow).toBe("late");
  });

  test("ENV-03 to ENV-06: variables say what a layer is where no document does, and a document says better", async () => {
    const env = { FEATURE_ENABLE_CIRCUIT_BREAKER: "true", FEATURE_ENABLE_ENTERPRISE_MONITORING: "true" };
    const openedBy = async (flags: Flags) => {
      const guard = layered(flags);
      for (let failures = 0; failures < 5; failures += 1) {
        await rejection(guard.run({ ...WRITE, held: true }, unavailable));
      }
      return guard.status().breaker.state;
    };
    expect(await openedBy(flagsOf({}, env))).toBe("OPEN");
    expect(await openedBy(flagsOf({ ENABLE_CIRCUIT_BREAKER: "off" }, env))).toBe("CLOSED");
    expect(await openedBy(flagsOf({}, { FEATURE_ENABLE_CIRCUIT_BREAKER: "false" }))).toBe("CLOSED");
    expect(await openedBy(flagsOf({ ENABLE_CIRCUIT_BREAKER: "on" }, { FEATURE_ENABLE_CIRCUIT_BREAKER: "false" }))).toBe(
      "OPEN",
    );
  });
});

describe("a layer that is on for a share", () => {
  const bitsBy = (layers: Layers, key?: string) => layers.bitsOf({ ...READ, rolloutKey: key });

  test("ENV-07 to ENV-09: the same tenants always have it, and more of them when it is raised", () => {
    const keys = Array.from({ length: 2_000 }, (_, number) => `tenant-${number}`);
    const having = (share: number) => {
      const layers = new Layers({ flags: flagsOf({}, { ROLLOUT_ENABLE_CONNECTION_POOL: String(share) }) });
      const without = bitsBy(new Layers({ flags: flagsOf({}) }));
      const found = keys.filter((key) => bitsBy(layers, key) !== without);
      expect(keys.filter((key) => bitsBy(layers, key) !== without)).toEqual(found);
      return new Set(found);
    };
    const [few, many] = [having(5), having(25)];
    expect(few.size).toBeGreaterThan(60);
    expect(few.size).toBeLessThan(140);
    expect(many.size).toBeGreaterThan(430);
    expect(many.size).toBeLessThan(570);
    expect([...few].every((key) => many.has(key))).toBe(true);
  });

  test("an operation says whom it is for, else the client does, else chance", () => {
    const flags = flagsOf({ ENABLE_CIRCUIT_BREAKER: 50 });
    const on = bitsBy(new Layers({ flags: flagsOf({ ENABLE_CIRCUIT_BREAKER: "on" }) }));
    const keys = Array.from({ length: 100 }, (_, number) => `user-${number}`);
    const alone = new Layers({ flags });
    const inside = keys.find((key) => bitsBy(alone, key) === on) as string;
    const outside = keys.find((key) => bitsBy(alone, key) !== on) as string;
    expect(bitsBy(new Layers({ flags, key: inside }))).toBe(on);
    expect(bitsBy(new Layers({ flags, key: () => inside }))).toBe(on);
    expect(bitsBy(new Layers({ flags, key: inside }), outside)).not.toBe(on);
    const drawn = Array.from({ length: 400 }, () => bitsBy(alone) === on);
    const count = drawn.filter(Boolean).length;
    expect(count).toBeGreaterThan(120);
    expect(count).toBeLessThan(280);
    // A key that cannot be had costs nobody an operation.
    const broken = () => {
      throw new Error("no request here");
    };
    expect(typeof bitsBy(new Layers({ flags, key: broken }))).toBe("number");
    expect(typeof bitsBy(alone, "k".repeat(100_000))).toBe("number");
  });

  test("layers that everybody has, or nobody, are asked about once for an edition and never for an operation", () => {
    const flags = flagsOf({ ...ALL, ENABLE_CIRCUIT_BREAKER: 100, ENABLE_CONNECTION_POOL: 0 });
    let asked = 0;
    const counting = {
      for: (context: { targetingKey?: string }) => {
        asked += 1;
        return flags.for(context);
      },
      constant: (key: string, fallback?: boolean) => flags.constant(key, fallback),
      on: (event: "change", listener: () => unknown) => flags.on(event, listener),
    };
    const layers = new Layers({ flags: counting });
    const before = bitsBy(layers, "a");
    expect([bitsBy(layers, "b"), asked]).toEqual([before, 0]);
    flags.update(documentOf({ ...ALL, ENABLE_CIRCUIT_BREAKER: 50 }));
    bitsBy(layers, "a");
    expect(asked).toBe(1);
    flags.kill(true);
    expect([bitsBy(layers, "a"), asked]).toEqual([bitsBy(layers, "b"), 1]);
  });
});

test("FLG-08: the kill switch takes all layers away at once", async () => {
  const flags = flagsOf(ALL);
  const guard = layered(flags);
  await openCircuit(guard);
  expect(await rejection(guard.call(async () => "through"))).toMatchObject({ code: "CIRCUIT_OPEN" });
  flags.kill(true);
  expect(await guard.call(async () => "through")).toBe("through");
});

test("flags that are made after the client are taken when they are first asked for", async () => {
  let flags: Flags | undefined;
  const guard = guardOf({ layers: { flags: () => flags as Flags } });
  flags = flagsOf({ ...ALL, ENABLE_ENTERPRISE_MONITORING: "off" });
  await guard.call(async () => "done");
  expect(guard.status().totals.successful).toBe(0);
  flags.update(documentOf(ALL));
  await guard.call(async () => "done");
  expect(guard.status().totals.successful).toBe(1);
});

test("what are no flags is named", () => {
  for (const layers of [{}, { flags: {} }, { flags: flagsOf({}), key: 7 }]) {
    expect(() => guardOf({ layers: layers as never })).toThrow(/^invalid configuration: layers\.(flags|key) must be/);
  }
});

describe("settings of layers", () => {
  const NONE: Rules = {};
  const layersOf = (flags: Flags, options: SeawallOptions = {}) =>
    [
      ["ENABLE_CONNECTION_POOL", false],
      ["ENABLE_STATE_MACHINE", false],
      ["ENABLE_CIRCUIT_BREAKER", false],
      ["ENABLE_ENTERPRISE_MONITORING", true],
      ["ENABLE_DETAILED_LOGGING", false],
    ].map(([name, is]) => {
      layered(flags, options);
      return flags.constant(name as string, is as boolean);
    });

  test("ENV-03, ENV-04, ENV-05 and ENV-06: features of a client are what its layers are where no document says so", async () => {
    expect(layersOf(flagsOf(NONE))).toEqual([false, false, false, true, false]);
    const features = {
      ENABLE_CONNECTION_POOL: true,
      ENABLE_STATE_MACHINE: true,
      ENABLE_CIRCUIT_BREAKER: true,
      ENABLE_ENTERPRISE_MONITORING: false,
      ENABLE_DETAILED_LOGGING: true,
    };
    expect(layersOf(flagsOf(NONE), { features })).toEqual([true, true, true, false, true]);
    // A document says better, and an option holds before a variable.
    expect(layersOf(flagsOf({ ENABLE_CONNECTION_POOL: "off" }), { features })[0]).toBe(false);
    expect(layersOf(flagsOf(NONE, { FEATURE_ENABLE_CONNECTION_POOL: "false" }), { features })[0]).toBe(true);
    expect(layersOf(flagsOf(NONE, { FEATURE_ENABLE_CONNECTION_POOL: "true" }))[0]).toBe(true);
    // The same from variables, as the client reads them, and of flags that are made after it.
    const given = fromEnv({ FEATURE_ENABLE_CIRCUIT_BREAKER: "1" });
    expect(layersOf(flagsOf(NONE), given)).toEqual([false, false, true, true, false]);
    const later = flagsOf(NONE);
    const guard = guardOf({ features: { ENABLE_CIRCUIT_BREAKER: true }, layers: { flags: () => later } });
    guard.forceState("OPEN");
    expect(await rejection(guard.call(async () => "through"))).toMatchObject({ code: "CIRCUIT_OPEN" });
    expect(guard.settings.effective("features").ignored).toEqual([]);
  });

  test("ENV-07, ENV-08 and ENV-09: rollouts of a client are the share of keys that have a layer", () => {
    for (const name of ["ENABLE_CONNECTION_POOL", "ENABLE_STATE_MACHINE", "ENABLE_CIRCUIT_BREAKER"]) {
      const flags = flagsOf(NONE);
      layered(flags, { rollouts: { [name]: 25 } });
      const keys = Array.from({ length: 1_000 }, (_, at) => `tenant-${at}`);
      const those = keys.filter((targetingKey) => flags.for({ targetingKey }).boolean(name, false));
      expect(those.length).toBeGreaterThan(200);
      expect(those.length).toBeLessThan(300);
      for (const value of [101, -1, 1.5, "abc"]) {
        expect(() => layered(flagsOf(NONE), { rollouts: { [name]: value as number } })).toThrow(`rollouts.${name}`);
      }
    }
  });

  test("FLG-10: flags take the same by options, and what cannot be meant is named", () => {
    const made = (options: object) => createFlags({ env: { FEATURE_ENABLE_STATE_MACHINE: "false" }, ...options });
    expect(made({ features: { ENABLE_STATE_MACHINE: true } }).constant("ENABLE_STATE_MACHINE")).toBe(true);
    expect(made({ rollouts: { ENABLE_STATE_MACHINE: 100 } }).constant("ENABLE_STATE_MACHINE")).toBe(true);
    for (const [options, problem] of [
      [{ features: { ENABLE_STATE_MACHINE: "yes" } }, "features.ENABLE_STATE_MACHINE must be true or false"],
      [{ features: { ENABLE_STATE: true } }, "features.ENABLE_STATE is no setting"],
      [{ rollouts: { ENABLE_STATE_MACHINE: 101 } }, "rollouts.ENABLE_STATE_MACHINE must be a whole number"],
      [{ rollouts: { ENABLE_DETAILED_LOGGING: 1 } }, "rollouts.ENABLE_DETAILED_LOGGING is no setting"],
      [{ rollouts: 25 }, "rollouts must be an object"],
    ] as const) {
      expect(() => made(options)).toThrow(problem);
    }
  });

  test("two clients of the same flags cannot say different things", () => {
    const flags = flagsOf(NONE);
    layered(flags, { features: { ENABLE_CONNECTION_POOL: true } });
    layered(flags, { features: { ENABLE_CONNECTION_POOL: true } });
    const other = { features: { ENABLE_CONNECTION_POOL: false } };
    expect(() => layered(flags, other)).toThrow(
      "features.ENABLE_CONNECTION_POOL: these flags were told something else",
    );
    const foreign = { for: flags.for.bind(flags), constant: () => true, on: () => () => {} };
    expect(() => guardOf({ ...other, layers: { flags: foreign } })).toThrow("for layers.flags of seawall/flags");
  });
});
