// Tracking as OpenFeature specifies it (its section 6), joined with exposures: who got which variant, and what came of it.
import { type EvaluationContext, OpenFeature } from "@openfeature/server-sdk";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createExposures, type ExposuresOptions } from "../src/openfeature/index.ts";
import { clientOf, flagsOf, reset, settled } from "./openfeature.ts";

const NOW = 1_700_000_000_000;

afterEach(async () => {
  vi.useRealTimers();
  await reset();
});

const definitions = {
  version: 1,
  revision: 3,
  flags: {
    button: { variants: { A: "blue", B: "green" }, default: "A", rules: [{ id: "ab", serve: { A: 50, B: 50 } }] },
    price: {
      variants: { low: 1, high: 2 },
      default: "low",
      rules: [{ serve: { low: 50, high: 50 } }],
    },
    old: {
      maxAge: "1m",
      variants: { A: "blue", B: "green" },
      default: "A",
      rules: [{ serve: { A: 50, B: 50 } }],
    },
    static: {},
    team: { rules: [{ rollout: 50, by: "team", serve: "on" }] },
  },
};

/** A client whose exposures and events are written down. */
async function tracked(options: ExposuresOptions = {}) {
  vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
  const [onExposure, onTrack] = [vi.fn(), vi.fn()];
  const exposures = createExposures({ onExposure, onTrack, ...options });
  const flags = flagsOf({ definitions });
  const client = await clientOf(flags, { exposures });
  return { client, exposures, flags, onExposure, onTrack };
}

const ADA = { targetingKey: "ada", email: "ada@acme.com", token: "hunter2" };

describe("tracking", () => {
  test("an event is handed on with its value, its details, and what its subject was exposed to", async () => {
    const { client, onTrack } = await tracked();
    const variant = (await client.getStringDetails("button", "", ADA)).variant;
    client.track("bought", ADA, { value: 9.5, currency: "EUR" });
    expect(onTrack.mock.calls).toEqual([
      [
        {
          event: "bought",
          subject: "ada",
          value: 9.5,
          atMs: NOW,
          details: { currency: "EUR" },
          exposures: [{ flag: "button", variant, subject: "ada", atMs: NOW, revision: 3, rule: "ab", attributes: {} }],
          attributes: {},
        },
      ],
    ]);
  });

  test("contexts merge as they do for flags", async () => {
    const { client, onTrack } = await tracked({ attributes: ["plan", "region"] });
    OpenFeature.setContext({ targetingKey: "nobody", region: "eu", plan: "free" });
    client.setContext({ targetingKey: "ada" });
    client.track("seen", { plan: "pro" });
    expect(onTrack.mock.calls[0]?.[0]).toMatchObject({ subject: "ada", attributes: { region: "eu", plan: "pro" } });
  });

  test("details and context may be left out", async () => {
    const { client, onTrack, exposures } = await tracked();
    client.track("seen");
    expect(onTrack.mock.calls[0]?.[0]).toStrictEqual({
      event: "seen",
      atMs: NOW,
      details: {},
      exposures: [],
      attributes: {},
    });
    expect(exposures.report().events).toEqual([{ event: "seen", count: 1, value: 0 }]);
  });

  test("events are counted by name, with the sum of their values", async () => {
    const { client, exposures } = await tracked();
    client.track("bought", ADA, { value: 2 });
    client.track("bought", { targetingKey: "bob" }, { value: 3 });
    client.track("seen", ADA);
    client.track("seen", ADA, { value: Number.NaN });
    expect(exposures.report().events).toEqual([
      { event: "bought", count: 2, value: 5 },
      { event: "seen", count: 2, value: 0 },
    ]);
  });

  test("without exposures the provider tracks nothing, as specified, and nothing fails", async () => {
    const client = await clientOf();
    expect(() => client.track("bought", ADA, { value: 1 })).not.toThrow();
  });

  test("is not done by a provider that has not begun", async () => {
    const { client, onTrack } = await tracked();
    await OpenFeature.clearProviders();
    client.track("bought", ADA);
    expect(onTrack).not.toHaveBeenCalled();
  });
});

describe("exposures", () => {
  test("FLG-07: each subject is told once for each flag and variant, however often it asks", async () => {
    const { client, onExposure } = await tracked();
    for (let at = 0; at < 3; at += 1) {
      await client.getStringValue("button", "", ADA);
      await client.getNumberValue("price", 0, ADA);
      await client.getStringValue("button", "", { targetingKey: "bob" });
    }
    const told = onExposure.mock.calls.map(([{ subject, flag }]) => `${subject} ${flag}`);
    expect(told).toEqual(["ada button", "ada price", "bob button"]);
  });

  test("are of what a hash decided; with `all` of every variant that is served", async () => {
    const { client, onExposure } = await tracked();
    await client.getBooleanValue("static", false, ADA);
    expect(onExposure).not.toHaveBeenCalled();
    await reset();
    const every = await tracked({ of: "all" });
    await every.client.getBooleanValue("static", false, ADA);
    expect(every.onExposure.mock.calls[0]?.[0]).toMatchObject({ flag: "static", variant: "off" });
  });

  test("count what is stale by the reason that it would have", async () => {
    const { client, onExposure } = await tracked();
    vi.setSystemTime(NOW + 60_001);
    expect(await client.getStringDetails("old", "", ADA)).toMatchObject({ reason: "STALE" });
    expect(onExposure.mock.calls[0]?.[0]).toMatchObject({ flag: "old", subject: "ada" });
  });

  test("are none of what is off, not there, of another kind, or somebody nobody knows", async () => {
    const { client, flags, onExposure } = await tracked({ of: "all" });
    flags.kill(["price", "static"]);
    await client.getNumberValue("price", 0, ADA);
    await client.getBooleanValue("static", false, ADA);
    await client.getStringValue("none", "", ADA);
    await client.getNumberValue("button", 0, ADA);
    await client.getStringValue("button", "", { email: "ada@acme.com" });
    await client.getStringValue("button", "", { targetingKey: "" });
    expect(onExposure).not.toHaveBeenCalled();
  });

  test("are told again when somebody gets another variant", async () => {
    const { client, flags, onExposure, onTrack, exposures } = await tracked();
    const before = (await client.getStringDetails("button", "", ADA)).variant as string;
    const after = before === "A" ? "B" : "A";
    const shares = { [before]: 0.0001, [after]: 99.9999 };
    flags.update({ ...definitions, flags: { button: { ...definitions.flags.button, rules: [{ serve: shares }] } } });
    expect((await client.getStringDetails("button", "", ADA)).variant).toBe(after);
    expect(onExposure.mock.calls.map(([{ variant }]) => variant)).toEqual([before, after]);
    client.track("bought", ADA);
    expect(onTrack.mock.calls[0]?.[0].exposures).toMatchObject([{ variant: after }]);
    expect(exposures.report().variants.map(({ variant, exposed }) => [variant, exposed])).toEqual([
      [before, 1],
      [after, 1],
    ]);
  });

  test("FLG-07: of two variants, conversions are counted once for each subject, and their values each time", async () => {
    const { client, exposures } = await tracked();
    const expected: Record<string, { exposed: number; bought: number; value: number }> = {};
    for (let at = 0; at < 200; at += 1) {
      const context = { targetingKey: `user-${at}` };
      const variant = (await client.getStringDetails("button", "", context)).variant as string;
      expected[variant] ??= { exposed: 0, bought: 0, value: 0 };
      const arm = expected[variant] as (typeof expected)[string];
      arm.exposed += 1;
      // Whoever has B buys more often.
      if (at % (variant === "B" ? 2 : 4) !== 0) continue;
      arm.bought += 1;
      arm.value += 2 * at;
      client.track("bought", context, { value: at });
      client.track("bought", context, { value: at });
    }
    const found = exposures.report().variants.map(({ flag, variant, exposed, converted }) => {
      const [bought] = converted;
      return [flag, variant, { exposed, bought: bought?.count, value: bought?.value }];
    });
    expect(found.sort()).toEqual(
      Object.entries(expected)
        .map(([variant, arm]) => ["button", variant, arm])
        .sort(),
    );
    expect(found).toHaveLength(2);
  });

  test("an event of somebody who was exposed to nothing counts for no variant", async () => {
    const { client, exposures, onTrack } = await tracked();
    await client.getStringValue("button", "", ADA);
    client.track("bought", { targetingKey: "bob" });
    expect(onTrack.mock.calls[0]?.[0]).toMatchObject({ subject: "bob", exposures: [] });
    expect(exposures.report().variants).toMatchObject([{ exposed: 1, converted: [] }]);
  });

  test("may be of another id than the targeting key", async () => {
    const subject = ({ team }: Readonly<EvaluationContext>) => (typeof team === "string" ? team : undefined);
    const { client, onExposure } = await tracked({ subject });
    // Whoever is not in gets the default, which no hash has decided: ask until one is.
    for (let at = 0; at < 20; at += 1) await client.getBooleanValue("team", false, { ...ADA, team: `t${at}` });
    await client.getBooleanValue("team", false, ADA);
    const told = onExposure.mock.calls.map(([exposure]) => exposure.subject);
    expect(told.length).toBeGreaterThan(0);
    expect(told.every((id) => /^t\d+$/.test(id))).toBe(true);
  });

  test("flags that are asked directly are told by hand, without the SDK", async () => {
    const { exposures, flags, onExposure, onTrack } = await tracked({ attributes: ["plan"] });
    const user = flags.for({ targetingKey: "ada", plan: "pro", token: "hunter2" });
    for (let at = 0; at < 3; at += 1) exposures.served("button", user.known, user.stringDetails("button"));
    exposures.served("static", user.known, user.booleanDetails("static"));
    exposures.track("bought", user.known, { value: 3 });
    const { variant } = user.stringDetails("button");
    expect(onExposure.mock.calls).toEqual([
      [{ flag: "button", variant, subject: "ada", atMs: NOW, revision: 3, rule: "ab", attributes: { plan: "pro" } }],
    ]);
    expect(onTrack.mock.calls[0]?.[0]).toMatchObject({ event: "bought", value: 3, exposures: [{ variant }] });
    expect(exposures.report().variants).toEqual([
      { flag: "button", variant, exposed: 1, converted: [{ event: "bought", count: 1, value: 3 }] },
    ]);
  });

  test("the hook alone serves another provider's clients, or one client", async () => {
    const exposures = createExposures();
    const client = await clientOf(flagsOf({ definitions }));
    client.addHooks(exposures.hook);
    await client.getStringValue("button", "", ADA);
    await OpenFeature.getClient("other").getStringValue("button", "", { targetingKey: "bob" });
    client.clearHooks();
    expect(exposures.report().variants.map(({ exposed }) => exposed)).toEqual([1]);
  });
});

describe("what is told", () => {
  test("holds nothing of a context but its id, and what was named", async () => {
    const { client, onExposure, onTrack } = await tracked({ attributes: ["plan.name", "email"] });
    const context = { ...ADA, plan: { name: "pro", card: "4111" } };
    await client.getStringValue("button", "", context);
    client.track("bought", context);
    for (const [told] of [...onExposure.mock.calls, ...onTrack.mock.calls]) {
      expect(told.attributes).toEqual({ "plan.name": "pro", email: "ada@acme.com" });
      expect(JSON.stringify(told)).not.toMatch(/hunter2|4111/);
    }
  });
});

describe("bounds", () => {
  test("subjects that were asked about longest ago are forgotten first, and told again", async () => {
    const { client, onExposure, onTrack } = await tracked({ subjectsMax: 2 });
    const ask = (targetingKey: string) => client.getStringValue("button", "", { targetingKey });
    for (const id of ["a", "b", "a", "c", "a", "b"]) await ask(id);
    expect(onExposure.mock.calls.map(([{ subject }]) => subject)).toEqual(["a", "b", "c", "b"]);
    client.track("bought", { targetingKey: "c" });
    expect(onTrack.mock.calls[0]?.[0].exposures).toEqual([]);
  });

  test("names of events are bounded in number and length; the rest is counted as uncounted", async () => {
    const { client, exposures } = await tracked();
    for (let at = 0; at < 1_010; at += 1) client.track(`event-${at}`, ADA);
    client.track(`event-0`, ADA);
    const { events, uncounted } = exposures.report();
    expect(events).toHaveLength(1_000);
    expect(events[0]).toEqual({ event: "event-0", count: 2, value: 0 });
    expect(uncounted).toBe(10);
    const other = createExposures();
    other.track("x".repeat(100_000), {});
    expect(other.report().events[0]?.event).toHaveLength(256);
  });

  test("one subject is remembered for so many flags and events", () => {
    const exposures = createExposures();
    const served = (flagKey: string) =>
      exposures.hook.after?.({ context: ADA } as never, {
        ...{ flagKey, value: true, variant: "on", reason: "SPLIT", flagMetadata: {} },
      });
    for (let at = 0; at < 60; at += 1) served(`flag-${at}`);
    expect(exposures.report().variants).toHaveLength(50);
    expect(exposures.report().uncounted).toBe(10);
    for (let at = 0; at < 10; at += 1) exposures.track(`event-${at}`, ADA);
    const counted = exposures.report().variants.flatMap(({ converted }) => converted);
    expect(counted).toHaveLength(200);
  });

  test("what is no bound is refused", () => {
    for (const subjectsMax of [0, -1, 1.5, Number.NaN, 1e9]) {
      expect(() => createExposures({ subjectsMax })).toThrow("subjectsMax");
    }
  });

  test("sinks that throw or reject disturb nobody, and are counted", async () => {
    const { client, exposures } = await tracked({
      onExposure: () => {
        throw new Error("mine");
      },
      onTrack: async () => {
        throw new Error("mine");
      },
      subject: ({ targetingKey }) => {
        if (targetingKey === "bad") throw new Error("mine");
        return targetingKey;
      },
    });
    expect(await client.getStringDetails("button", "", ADA)).not.toHaveProperty("errorCode");
    expect(await client.getStringDetails("button", "", { targetingKey: "bad" })).not.toHaveProperty("errorCode");
    client.track("bought", ADA);
    await settled();
    expect(exposures.report().failed).toBe(3);
  });
});
