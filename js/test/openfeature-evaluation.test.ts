// Evaluation as OpenFeature specifies it (its sections 1 and 2), of each kind, by its own SDK.
import {
  ComparisonStrategy,
  createEvaluationEvent,
  type Hook,
  InMemoryProvider,
  MultiProvider,
  OpenFeature,
} from "@openfeature/server-sdk";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createFlags } from "../src/flags/index.ts";
import { type FlagSource, openFeatureProvider } from "../src/openfeature/index.ts";
import { clientOf, DOCUMENT, details, flagsOf, KINDS, type Kind, orders, reset, VALUES, value } from "./openfeature.ts";

afterEach(async () => {
  vi.useRealTimers();
  await reset();
});

const STAFF = { targetingKey: "ada", email: "ada@acme.com" };
const ANYBODY = { targetingKey: "bob", email: "bob@example.com" };
/** The metadata that every answer has. */
const EDITION = { revision: 12, version: "12" };

/** The kinds that a flag is not. */
const others = (kind: Kind) => KINDS.filter((other) => other !== kind);

describe.each(KINDS)("%s", (kind) => {
  const { on, off, fallback } = VALUES[kind];

  test("the value of a flag without rules is its default, and STATIC", async () => {
    const client = await clientOf();
    expect(await value(client, kind, `${kind}.static`)).toStrictEqual(on);
    expect(await details(client, kind, `${kind}.static`)).toStrictEqual({
      flagKey: `${kind}.static`,
      value: on,
      variant: "on",
      reason: "STATIC",
      flagMetadata: EDITION,
    });
  });

  test("FLG-09: a rule that matches serves its variant, TARGETING_MATCH, and is named", async () => {
    const client = await clientOf();
    expect(await value(client, kind, `${kind}.targeted`, STAFF)).toStrictEqual(on);
    expect(await details(client, kind, `${kind}.targeted`, STAFF)).toMatchObject({
      value: on,
      variant: "on",
      reason: "TARGETING_MATCH",
      flagMetadata: { ...EDITION, rule: "staff" },
    });
  });

  test("whom no rule matches gets the default of the flag, not that of the code", async () => {
    const client = await clientOf();
    const found = await details(client, kind, `${kind}.targeted`, ANYBODY);
    expect(found).toMatchObject({ value: off, variant: "off", reason: "DEFAULT", flagMetadata: EDITION });
    expect(found).not.toHaveProperty("errorCode");
  });

  test("FLG-07: a share is SPLIT, tells rule and bucket, and is the same each time", async () => {
    const client = await clientOf();
    const served = new Map<string, number>();
    for (let at = 0; at < 200; at += 1) {
      const context = { targetingKey: `user-${at}` };
      const found = await details(client, kind, `${kind}.split`, context);
      expect(found).toMatchObject({ reason: "SPLIT", flagMetadata: { ...EDITION, rule: "ab" } });
      expect(found.value).toStrictEqual(found.variant === "on" ? on : off);
      expect(await details(client, kind, `${kind}.split`, context)).toStrictEqual(found);
      served.set(found.variant as string, (served.get(found.variant as string) ?? 0) + 1);
    }
    // 100 of 200 are expected of each; four standard deviations are 28.
    expect(served.get("on")).toBeGreaterThan(72);
    expect(served.get("on")).toBeLessThan(128);
  });

  test("FLG-08: what is off is DISABLED and no error: a boolean is false, of others the code says", async () => {
    const found = await details(await clientOf(), kind, `${kind}.disabled`);
    expect(found).toMatchObject({ reason: "DISABLED", flagMetadata: { ...EDITION, by: "flag" } });
    expect(found.value).toStrictEqual(kind === "boolean" ? false : fallback);
    expect(found).not.toHaveProperty("errorCode");
  });

  test("FLG-08: what is killed is off at the next question, by kill", async () => {
    const flags = flagsOf();
    const client = await clientOf(flags);
    expect(await value(client, kind, `${kind}.static`)).toStrictEqual(on);
    flags.kill([`${kind}.static`]);
    const found = await details(client, kind, `${kind}.static`);
    expect(found).toMatchObject({ reason: "DISABLED", flagMetadata: { by: "kill" } });
    expect(found.value).toStrictEqual(kind === "boolean" ? false : fallback);
  });

  test("FLG-10: a variable that turns it off wins, and is named", async () => {
    const name = `FEATURE_${kind.toUpperCase()}_STATIC`;
    const found = await details(await clientOf(flagsOf({ env: { [name]: "false" } })), kind, `${kind}.static`);
    expect(found).toMatchObject({ reason: "DISABLED", flagMetadata: { by: "env" } });
  });

  test("a flag that requires another says which one is not as it must be", async () => {
    const found = await details(await clientOf(), kind, `${kind}.required`);
    expect(found).toMatchObject({
      value: off,
      variant: "off",
      reason: "DEFAULT",
      flagMetadata: { ...EDITION, prerequisite: "boolean.disabled" },
    });
  });

  test("what is older than its maxAge is STALE, with the reason that it would have", async () => {
    vi.useFakeTimers({ now: 1_700_000_000_000, toFake: ["Date"] });
    const client = await clientOf();
    const context = { targetingKey: "u" };
    const fresh = await details(client, kind, `${kind}.stale`, context);
    expect(fresh).toMatchObject({ reason: "SPLIT" });
    expect(fresh.flagMetadata).not.toHaveProperty("stale");
    vi.setSystemTime(1_700_000_000_000 + 60_001);
    expect(await details(client, kind, `${kind}.stale`, context)).toMatchObject({
      value: fresh.value,
      variant: fresh.variant,
      reason: "STALE",
      flagMetadata: { ...EDITION, stale: true, reason: "SPLIT", rule: "ab" },
    });
  });

  test("a flag that is not there is FLAG_NOT_FOUND, the code's default, and the one that was meant is told", async () => {
    const client = await clientOf();
    expect(await value(client, kind, `${kind}.statik`)).toStrictEqual(fallback);
    const found = await details(client, kind, `${kind}.statik`);
    expect(found).toMatchObject({ value: fallback, reason: "ERROR", errorCode: "FLAG_NOT_FOUND" });
    expect(found.errorMessage).toContain(`Did you mean ${kind}.static?`);
    expect(found).not.toHaveProperty("variant");
  });

  test.each(others(kind))("asked for as %s it is TYPE_MISMATCH and the code's default", async (other) => {
    const found = await details(await clientOf(), other, `${kind}.static`);
    expect(found).toMatchObject({
      value: VALUES[other].fallback,
      reason: "ERROR",
      errorCode: "TYPE_MISMATCH",
      flagMetadata: EDITION,
    });
    expect(found.errorMessage).toContain(kind === "object" ? "is JSON" : `is ${kind}`);
    expect(found).not.toHaveProperty("variant");
  });

  test("a strict flag without an id is TARGETING_KEY_MISSING; with one it is decided", async () => {
    const client = await clientOf();
    for (const context of [{}, { targetingKey: "" }, { email: "ada@acme.com" }]) {
      expect(await details(client, kind, `${kind}.strict`, context)).toMatchObject({
        value: fallback,
        reason: "ERROR",
        errorCode: "TARGETING_KEY_MISSING",
      });
    }
    expect(await details(client, kind, `${kind}.strict`, { targetingKey: "ada" })).not.toHaveProperty("errorCode");
  });

  test("a context with text that is too long where a rule looks is INVALID_CONTEXT", async () => {
    const client = await clientOf();
    const context = { email: "x".repeat(5_000) };
    expect(await details(client, kind, `${kind}.targeted`, context)).toMatchObject({
      value: fallback,
      reason: "ERROR",
      errorCode: "INVALID_CONTEXT",
    });
  });

  test("without definitions it is PROVIDER_NOT_READY and the code's default, until there are some", async () => {
    const flags = createFlags({ env: {} });
    await expect(OpenFeature.setProviderAndWait(openFeatureProvider(flags))).rejects.toThrow("No definitions");
    const client = OpenFeature.getClient();
    expect(await details(client, kind, `${kind}.static`)).toMatchObject({
      value: fallback,
      reason: "ERROR",
      errorCode: "PROVIDER_NOT_READY",
    });
    flags.update(DOCUMENT);
    expect(await value(client, kind, `${kind}.static`)).toStrictEqual(on);
  });

  test("while the provider begins it is PROVIDER_NOT_READY, and nobody waits", async () => {
    const flags = createFlags({ env: {} });
    const begun = OpenFeature.setProviderAndWait(openFeatureProvider(flags, { waitMs: 60_000 }));
    const client = OpenFeature.getClient();
    expect(client.providerStatus).toBe("NOT_READY");
    expect(await details(client, kind, `${kind}.static`)).toMatchObject({
      value: fallback,
      errorCode: "PROVIDER_NOT_READY",
    });
    flags.update(DOCUMENT);
    await begun;
    expect(await value(client, kind, `${kind}.static`)).toStrictEqual(on);
  });

  test("where all definitions were refused it is PARSE_ERROR, with what is wrong", async () => {
    const { monitor, order } = orders();
    const flags = createFlags({ monitor, env: {} });
    await OpenFeature.setProviderAndWait(openFeatureProvider(flags)).catch(() => {});
    order("flags", { version: 1, flags: { a: { rulez: [] } } });
    const found = await details(OpenFeature.getClient(), kind, `${kind}.static`);
    expect(found).toMatchObject({ value: fallback, reason: "ERROR", errorCode: "PARSE_ERROR" });
    expect(found.errorMessage).toContain("rulez");
  });

  test("what fails in an unforeseen way is GENERAL, and tells nothing of what it was", async () => {
    const source: FlagSource = {
      isReady: true,
      on: () => () => {},
      for: () => {
        throw new Error("password=hunter2");
      },
    };
    await OpenFeature.setProviderAndWait(openFeatureProvider(source));
    const found = await details(OpenFeature.getClient(), kind, "any");
    expect(found).toMatchObject({ value: fallback, reason: "ERROR", errorCode: "GENERAL" });
    expect(JSON.stringify(found)).not.toContain("hunter2");
  });
});

describe("beside others", () => {
  const elsewhere = () =>
    new InMemoryProvider({
      "boolean.static": { variants: { on: true, off: false }, defaultVariant: "off", disabled: false },
      "only.there": { variants: { on: true, off: false }, defaultVariant: "on", disabled: false },
    });

  test("the first provider that has a flag serves it, as when a vendor is left flag by flag", async () => {
    const providers = [{ provider: openFeatureProvider(flagsOf()) }, { provider: elsewhere() }];
    await OpenFeature.setProviderAndWait(new MultiProvider(providers));
    const client = OpenFeature.getClient();
    expect(await client.getBooleanValue("boolean.static", false)).toBe(true);
    expect(await client.getBooleanValue("only.there", false)).toBe(true);
    expect(await client.getBooleanDetails("nowhere", true)).toMatchObject({ value: true, reason: "ERROR" });
  });

  test("two that do not agree are compared, and the difference is told", async () => {
    const told: unknown[] = [];
    const ours = openFeatureProvider(flagsOf());
    const strategy = new ComparisonStrategy(ours, (found) => void told.push(found.length));
    const providers = [{ provider: ours }, { provider: elsewhere() }];
    await OpenFeature.setProviderAndWait(new MultiProvider(providers, strategy));
    expect(await OpenFeature.getClient().getBooleanValue("boolean.static", false)).toBe(true);
    expect(told).toEqual([2]);
  });
});

describe("the provider", () => {
  test("tells its name, and where it belongs", async () => {
    const client = await clientOf();
    expect(client.metadata).toMatchObject({ sdk: "js-server", providerMetadata: { name: "seawall" } });
    expect(OpenFeature.providerMetadata).toStrictEqual({ name: "seawall" });
    expect(openFeatureProvider(flagsOf()).runsOn).toBe("server");
  });

  test("a value that is JSON is frozen through and through, as it is the same for everybody", async () => {
    const client = await clientOf();
    const found = (await client.getObjectValue("object.static", {})) as { parts: unknown[] };
    expect(Object.isFrozen(found)).toBe(true);
    expect(Object.isFrozen(found.parts)).toBe(true);
  });

  test("null and lists are JSON, as specified; text, numbers and booleans are not", async () => {
    const flags = flagsOf({
      definitions: { version: 1, flags: { list: { variants: { a: [1], none: null }, default: "a" } } },
    });
    const client = await clientOf(flags);
    expect(await client.getObjectValue("list", [])).toStrictEqual([1]);
    flags.update({ version: 1, flags: { list: { variants: { a: [1], none: null }, default: "none" } } });
    expect(await client.getObjectDetails("list", [])).toMatchObject({ value: null, variant: "none", reason: "STATIC" });
  });

  test("a number is a number: whole, with a fraction, negative", async () => {
    const variants = { whole: 7, part: -0.25 };
    const flags = flagsOf({
      definitions: { version: 1, flags: { a: { variants, default: "whole" }, b: { variants, default: "part" } } },
    });
    const client = await clientOf(flags);
    expect(await client.getNumberValue("a", 0)).toBe(7);
    expect(await client.getNumberValue("b", 0)).toBe(-0.25);
  });

  test("what a variable says of a flag that no document has is served, by env", async () => {
    const client = await clientOf(flagsOf({ env: { FEATURE_ONLY_HERE: "true" } }));
    expect(await client.getBooleanDetails("only-here", false)).toMatchObject({
      value: true,
      reason: "STATIC",
      flagMetadata: { by: "env" },
    });
  });

  test("names that an object has by itself are no flags", async () => {
    const client = await clientOf();
    for (const key of ["__proto__", "constructor", "toString", ""]) {
      expect(await client.getObjectDetails(key, {}), key).toMatchObject({ errorCode: "FLAG_NOT_FOUND" });
    }
  });

  test("metadata cannot be changed by who is told of them", async () => {
    const found = await (await clientOf()).getBooleanDetails("boolean.static", false);
    expect(Object.isFrozen(found.flagMetadata)).toBe(true);
  });

  test("what is told to telemetry by the SDK's own conventions has variant, reason and version", async () => {
    const client = await clientOf();
    const events: unknown[] = [];
    const hooks: Hook[] = [{ finally: (context, found) => void events.push(createEvaluationEvent(context, found)) }];
    await client.getStringValue("string.targeted", "red", STAFF, { hooks });
    await client.getStringValue("none", "red", STAFF, { hooks });
    expect(events).toMatchObject([
      {
        attributes: {
          "feature_flag.key": "string.targeted",
          "feature_flag.result.variant": "on",
          "feature_flag.result.reason": "targeting_match",
          "feature_flag.provider.name": "seawall",
          "feature_flag.version": "12",
        },
      },
      { attributes: { "error.type": "flag_not_found", "feature_flag.result.reason": "error" } },
    ]);
  });

  test("a snapshot serves what its document does", async () => {
    const client = await clientOf(flagsOf({ definitions: flagsOf().snapshot() }));
    for (const kind of KINDS) expect(await value(client, kind, `${kind}.static`)).toStrictEqual(VALUES[kind].on);
  });

  test("what is no flags, and a wait that is none, is refused when it is made", () => {
    expect(() => openFeatureProvider({} as FlagSource)).toThrow("createFlags");
    expect(() => openFeatureProvider(flagsOf(), { waitMs: -1 })).toThrow("waitMs");
    expect(() => openFeatureProvider(flagsOf(), { waitMs: Number.NaN })).toThrow("waitMs");
  });
});
