// Contexts and hooks as OpenFeature specifies them (its sections 3 and 4): what our provider is asked about in the end.
import {
  AsyncLocalStorageTransactionContextPropagator,
  type EvaluationContext,
  type Hook,
  OpenFeature,
} from "@openfeature/server-sdk";
import { afterEach, describe, expect, test, vi } from "vitest";
import { attributesOf } from "../src/openfeature/attributes.ts";
import { openFeatureProvider } from "../src/openfeature/index.ts";
import { clientOf, flagsOf, reset } from "./openfeature.ts";

afterEach(async () => {
  vi.useRealTimers();
  await reset();
});

/** Flags that are on for whose attribute is `yes`. */
const onFor = (attr: string) => ({ rules: [{ if: [{ attr, eq: "yes" }], serve: "on" }] });
/** A flag that tells which level a context comes from: `level` is what it says. */
const LEVELS = ["api", "transaction", "client", "call", "hook"];
const LEVEL = {
  version: 1,
  flags: {
    level: {
      variants: Object.fromEntries([...LEVELS, "none"].map((name) => [name, name])),
      default: "none",
      rules: LEVELS.map((name) => ({ if: [{ attr: "level", eq: name }], serve: name })),
    },
    seen: {
      variants: { all: "all", some: "some" },
      default: "some",
      rules: [{ if: LEVELS.map((name) => ({ attr: `from-${name}`, exists: true })), serve: "all" }],
    },
  },
};

/** Sets the context of a level, and says so. */
const at = (level: string): EvaluationContext => ({ level, [`from-${level}`]: true });

describe("merging", () => {
  const asked = (context: EvaluationContext) =>
    OpenFeature.getClient().getStringValue("level", "nobody", context, {
      hooks: context.level === "hook" ? [{ before: () => at("hook") }] : [],
    });

  test("the API's own is asked about where nothing else is said", async () => {
    const client = await clientOf(flagsOf({ definitions: LEVEL }));
    OpenFeature.setContext(at("api"));
    expect(await client.getStringValue("level", "nobody")).toBe("api");
  });

  test("that of the transaction is over the API's, and ends with it", async () => {
    const client = await clientOf(flagsOf({ definitions: LEVEL }));
    OpenFeature.setTransactionContextPropagator(new AsyncLocalStorageTransactionContextPropagator());
    OpenFeature.setContext(at("api"));
    const within = await new Promise((resolve) => {
      OpenFeature.setTransactionContext(at("transaction"), () => resolve(client.getStringValue("level", "nobody")));
    });
    expect(within).toBe("transaction");
    expect(await client.getStringValue("level", "nobody")).toBe("api");
  });

  test("two transactions at once do not see each other", async () => {
    const flags = flagsOf({
      definitions: { version: 1, flags: { mine: onFor("a"), yours: onFor("b") } },
    });
    const client = await clientOf(flags);
    OpenFeature.setTransactionContextPropagator(new AsyncLocalStorageTransactionContextPropagator());
    const within = (context: EvaluationContext) =>
      new Promise<boolean[]>((resolve) => {
        OpenFeature.setTransactionContext(context, async () => {
          await Promise.resolve();
          resolve([await client.getBooleanValue("mine", false), await client.getBooleanValue("yours", false)]);
        });
      });
    const found = await Promise.all([within({ a: "yes" }), within({ b: "yes" })]);
    expect(found).toEqual([
      [true, false],
      [false, true],
    ]);
  });

  test("that of the client is over the transaction's", async () => {
    const client = await clientOf(flagsOf({ definitions: LEVEL }));
    OpenFeature.setTransactionContextPropagator(new AsyncLocalStorageTransactionContextPropagator());
    OpenFeature.setContext(at("api"));
    client.setContext(at("client"));
    const within = await new Promise((resolve) => {
      OpenFeature.setTransactionContext(at("transaction"), () => resolve(client.getStringValue("level", "nobody")));
    });
    expect(within).toBe("client");
  });

  test("that of the call is over the client's", async () => {
    const client = await clientOf(flagsOf({ definitions: LEVEL }));
    client.setContext(at("client"));
    expect(await client.getStringValue("level", "nobody", at("call"))).toBe("call");
  });

  test("what a hook adds before is over all others", async () => {
    await clientOf(flagsOf({ definitions: LEVEL }));
    OpenFeature.setContext(at("api"));
    expect(await asked({ level: "hook" })).toBe("hook");
  });

  test("what only one level says is kept from all of them", async () => {
    const client = await clientOf(flagsOf({ definitions: LEVEL }));
    OpenFeature.setTransactionContextPropagator(new AsyncLocalStorageTransactionContextPropagator());
    OpenFeature.setContext(at("api"));
    client.setContext(at("client"));
    const seen = await new Promise((resolve) => {
      OpenFeature.setTransactionContext(at("transaction"), () =>
        resolve(client.getStringValue("seen", "nobody", at("call"), { hooks: [{ before: () => at("hook") }] })),
      );
    });
    expect(seen).toBe("all");
    expect(await client.getStringValue("seen", "nobody", at("call"))).toBe("some");
  });

  test("the targeting key merges as any attribute does", async () => {
    const client = await clientOf();
    OpenFeature.setContext({ targetingKey: "api" });
    const id = async (context?: EvaluationContext) =>
      (await client.getBooleanDetails("boolean.strict", false, context)).flagMetadata.bucket;
    const bucket = (key: string) =>
      openFeatureProvider(flagsOf()).resolveBooleanEvaluation("boolean.strict", false, { targetingKey: key });
    expect(await id()).toBe((await bucket("api")).flagMetadata?.bucket);
    expect(await id({ targetingKey: "call" })).toBe((await bucket("call")).flagMetadata?.bucket);
    expect(await id()).not.toBe(await id({ targetingKey: "call" }));
  });
});

describe("attributes", () => {
  const definitions = {
    version: 1,
    flags: {
      nested: onFor("user.plan.name"),
      flat: onFor("user"),
      later: { rules: [{ if: [{ attr: "since", after: "2026-01-01T00:00:00Z" }], serve: "on" }] },
      many: {
        rules: [
          {
            if: [
              { attr: "seats", gte: 10 },
              { attr: "isPaid", eq: true },
            ],
            serve: "on",
          },
        ],
      },
      listed: { rules: [{ if: [{ attr: "groups", exists: true }], serve: "on" }] },
    },
  };
  const ask = async (key: string, context: unknown) =>
    (await clientOf(flagsOf({ definitions }))).getBooleanDetails(key, false, context as EvaluationContext);

  test("numbers and booleans are what they are", async () => {
    expect(await ask("many", { seats: 10, isPaid: true })).toMatchObject({ value: true });
    expect(await ask("many", { seats: 10, isPaid: "true" })).toMatchObject({ value: true });
    expect(await ask("many", { seats: 9, isPaid: true })).toMatchObject({ value: false });
  });

  test("a date is compared as a date, at the top and below", async () => {
    expect(await ask("later", { since: new Date("2026-06-01") })).toMatchObject({ value: true });
    expect(await ask("later", { since: new Date("2025-06-01") })).toMatchObject({ value: false });
    expect(await ask("later", { since: new Date(Number.NaN) })).toMatchObject({ value: false, reason: "DEFAULT" });
    expect({ ...attributesOf({ at: { since: new Date(0) } }) }).toStrictEqual({
      "at.since": "1970-01-01T00:00:00.000Z",
    });
  });

  test("what is nested has its path as its name", async () => {
    expect(await ask("nested", { user: { plan: { name: "yes" } } })).toMatchObject({ value: true });
    expect(await ask("flat", { user: { plan: { name: "yes" } } })).toMatchObject({ value: false });
  });

  test("an attribute of just that name is over what is nested, in whatever order they stand", () => {
    const paths = (context: object) => ({ ...attributesOf(context) });
    expect(paths({ "a.b": 1, a: { b: 2 } })).toStrictEqual({ "a.b": 1 });
    expect(paths({ a: { b: 2 }, "a.b": 1 })).toStrictEqual({ "a.b": 1 });
  });

  test("lists, null and functions are missing", async () => {
    for (const groups of [["a"], null, undefined, () => "a"]) {
      expect(await ask("listed", { groups })).toMatchObject({ value: false, reason: "DEFAULT" });
    }
  });

  test("names that an object has by itself are attributes like others, and change no object", () => {
    const hostile = JSON.parse('{"__proto__": "x", "constructor": "y", "a": {"__proto__": {"isAdmin": true}}}');
    const found = attributesOf(hostile);
    expect(Object.keys(found).sort()).toEqual(["__proto__", "a.__proto__.isAdmin", "constructor"]);
    expect(({} as { isAdmin?: boolean }).isAdmin).toBe(undefined);
  });

  test("what goes in circles, is too deep or too much is INVALID_CONTEXT, and says so", async () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    const many = Object.fromEntries(Array.from({ length: 1_001 }, (_, at) => [`a${at}`, 1]));
    for (const [context, why] of [
      [circle, "deeper than 8"],
      [many, "more than 1000 attributes"],
      [{ below: many }, "more than 1000 attributes"],
    ] as const) {
      const found = await ask("flat", context);
      expect(found).toMatchObject({ value: false, reason: "ERROR", errorCode: "INVALID_CONTEXT" });
      expect(found.errorMessage).toContain(why);
    }
  });

  test("a provider that is asked without a context says INVALID_CONTEXT and does not throw", async () => {
    const provider = openFeatureProvider(flagsOf({ definitions }));
    for (const context of [undefined, null, "ada", ["ada"]]) {
      const found = await provider.resolveBooleanEvaluation("flat", true, context as unknown as EvaluationContext);
      expect(found).toMatchObject({ value: true, errorCode: "INVALID_CONTEXT" });
    }
  });

  test("a context whose getter throws is GENERAL, and tells nothing of it", async () => {
    const context = {};
    Object.defineProperty(context, "user", {
      enumerable: true,
      get: () => {
        throw new Error("hunter2");
      },
    });
    const provider = openFeatureProvider(flagsOf({ definitions }));
    const found = await provider.resolveBooleanEvaluation("flat", true, context as EvaluationContext);
    expect(found).toMatchObject({ value: true, errorCode: "GENERAL" });
    expect(found.errorMessage).not.toContain("hunter2");
  });

  test("who is asked about again is packed once, however often the SDK merges the same context", async () => {
    vi.useFakeTimers({ now: 1_000_000, toFake: ["Date"] });
    const flags = flagsOf();
    const packed = vi.spyOn(flags, "for");
    const client = await clientOf(flags);
    const ask = (context: EvaluationContext) => client.getBooleanValue("boolean.static", false, context);
    for (let at = 0; at < 10; at += 1) await ask({ targetingKey: "u", user: { since: new Date(0) } });
    expect(packed).toHaveBeenCalledTimes(1);
    await ask({ targetingKey: "v", user: { since: new Date(0) } });
    await ask({ targetingKey: "v", user: { since: new Date(1) } });
    await ask({ targetingKey: "v" });
    await ask({ targetingKey: "v", plan: "pro" });
    await ask({ targetingKey: "v", plan: "pro" });
    await ask({ targetingKey: "v" });
    expect(packed).toHaveBeenCalledTimes(6);
    // Rules about the time must not see that of an hour ago.
    vi.setSystemTime(1_000_000 + 100);
    await ask({ targetingKey: "v" });
    expect(packed).toHaveBeenCalledTimes(7);
  });

  test("a context that was changed in place is asked about as it is", async () => {
    const client = await clientOf(flagsOf({ definitions }));
    const context = { user: { plan: { name: "no" } } };
    expect(await client.getBooleanValue("nested", true, context)).toBe(false);
    context.user.plan.name = "yes";
    expect(await client.getBooleanValue("nested", false, context)).toBe(true);
  });
});

describe("hooks", () => {
  /** Hooks that write down which stage of whom ran. */
  function recorder() {
    const ran: string[] = [];
    const hook = (name: string, more: Hook = {}): Hook => ({
      before: (...given) => {
        ran.push(`${name} before`);
        return more.before?.(...given);
      },
      after: (...given) => {
        ran.push(`${name} after`);
        return more.after?.(...given);
      },
      error: () => {
        ran.push(`${name} error`);
      },
      finally: () => {
        ran.push(`${name} finally`);
      },
    });
    return { ran, hook };
  }

  /** A client with hooks of all four levels; those of `name` do more. */
  async function hooked(more: Record<string, Hook> = {}) {
    const { ran, hook } = recorder();
    const client = await clientOf(flagsOf(), { hooks: [hook("provider", more.provider)] });
    OpenFeature.addHooks(hook("api", more.api));
    client.addHooks(hook("client", more.client));
    const options = { hooks: [hook("call", more.call)] };
    const ask = (key: string) => client.getBooleanDetails(key, false, {}, options);
    return { ran, ask };
  }

  test("run from the API to the provider before, and back after", async () => {
    const { ran, ask } = await hooked();
    expect(await ask("boolean.static")).toMatchObject({ value: true });
    const names = ["api", "client", "call", "provider"];
    const back = [...names].reverse();
    expect(ran).toEqual([
      ...names.map((name) => `${name} before`),
      ...back.map((name) => `${name} after`),
      ...back.map((name) => `${name} finally`),
    ]);
  });

  test.each([
    ["boolean.none", "FLAG_NOT_FOUND"],
    ["string.static", "TYPE_MISMATCH"],
    ["boolean.strict", "TARGETING_KEY_MISSING"],
  ])("of %s run their error stage, none of those after: %s", async (key, errorCode) => {
    const { ran, ask } = await hooked();
    expect(await ask(key)).toMatchObject({ value: false, errorCode });
    expect(ran.filter((stage) => stage.endsWith("after"))).toEqual([]);
    expect(ran.slice(4)).toEqual([
      ...["provider error", "call error", "client error", "api error"],
      ...["provider finally", "call finally", "client finally", "api finally"],
    ]);
  });

  test("where one fails before, nothing is evaluated, and the code's default is served", async () => {
    const flags = flagsOf();
    const packed = vi.spyOn(flags, "for");
    const client = await clientOf(flags);
    const failing: Hook = {
      before: () => {
        throw new Error("no");
      },
    };
    const found = await client.getBooleanDetails("boolean.static", false, {}, { hooks: [failing] });
    expect(found).toMatchObject({ value: false, reason: "ERROR", errorCode: "GENERAL" });
    expect(packed).not.toHaveBeenCalled();
  });

  test("where one fails after, the code's default is served", async () => {
    const { ran, ask } = await hooked({
      call: {
        after: () => {
          throw new Error("no");
        },
      },
    });
    expect(await ask("boolean.static")).toMatchObject({ value: false, errorCode: "GENERAL" });
    expect(ran).toContain("api error");
  });

  test("see what was asked and what was decided, with its metadata", async () => {
    const after = vi.fn();
    const client = await clientOf();
    await client.getStringDetails("string.targeted", "red", { email: "a@acme.com" }, { hooks: [{ after }] });
    const [context, found] = after.mock.calls[0] as [Record<string, unknown>, Record<string, unknown>];
    expect(context).toMatchObject({
      flagKey: "string.targeted",
      flagValueType: "string",
      defaultValue: "red",
      context: { email: "a@acme.com" },
      providerMetadata: { name: "seawall" },
    });
    expect(found).toMatchObject({ variant: "on", reason: "TARGETING_MATCH", flagMetadata: { rule: "staff" } });
  });

  test("hints reach them, and what one keeps is its own", async () => {
    const client = await clientOf();
    const seen: unknown[] = [];
    const keeping = (name: string): Hook => ({
      before: ({ hookData }) => hookData.set("name", name),
      finally: ({ hookData }, _, hints) => {
        seen.push([hookData.get("name"), hints?.trace]);
      },
    });
    const hooks = [keeping("one"), keeping("two")];
    await client.getBooleanValue("boolean.static", false, {}, { hooks, hookHints: { trace: "t" } });
    expect(seen).toEqual([
      ["two", "t"],
      ["one", "t"],
    ]);
  });
});
