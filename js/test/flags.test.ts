// Flags as an application asks for them: the engine itself is tested in Rust.
import { describe, expect, test, vi } from "vitest";
import type { FlagOrders } from "../src/flags/flags.ts";
import {
  compileFlags,
  createFlags,
  exportFlags,
  type FlagDocument,
  FlagsRefusedError,
  importFlags,
  validateFlags,
} from "../src/flags/index.ts";
import { createFlags as createSnapshotFlags } from "../src/flags/snapshot.ts";

const document = {
  version: 1,
  revision: 7,
  flags: {
    "new-checkout": {
      rules: [
        { id: "staff", if: [{ attr: "email", endsWith: "@acme.com" }], serve: "on" },
        { id: "ramp", rollout: 25, serve: "on" },
      ],
    },
    banner: {
      variants: { short: "Hi", long: "Hello there" },
      default: "short",
      rules: [{ id: "ab", serve: { short: 50, long: 50 } }],
    },
    limit: {
      variants: { few: 5, many: 50 },
      default: "few",
      rules: [{ if: [{ attr: "seats", gte: 10 }], serve: "many" }],
    },
    theme: { variants: { dark: { colour: "#000", parts: ["a"] }, none: null }, default: "dark" },
    gone: { enabled: false },
  },
} satisfies FlagDocument;

const flagsOf = (options = {}) => createFlags({ definitions: document, env: {}, ...options });

describe("values", () => {
  test("FLG-06 and FLG-07: each kind is asked for by its name, and says why it is that", () => {
    const staff = flagsOf().for({ targetingKey: "ada", email: "ada@acme.com", seats: 12 });
    expect(staff.boolean("new-checkout")).toBe(true);
    expect(staff.booleanDetails("new-checkout", false)).toStrictEqual({
      value: true,
      variant: "on",
      reason: "TARGETING_MATCH",
      metadata: { revision: 7, rule: "staff" },
    });
    expect(["Hi", "Hello there"]).toContain(staff.string("banner"));
    expect(staff.stringDetails("banner")).toMatchObject({ reason: "SPLIT", metadata: { rule: "ab" } });
    expect(staff.number("limit")).toBe(50);
    expect(staff.json("theme", {})).toStrictEqual({ colour: "#000", parts: ["a"] });
    expect(staff.jsonDetails("theme", {})).toMatchObject({ variant: "dark", reason: "STATIC" });
    expect(staff.booleanDetails("gone", true)).toStrictEqual({
      value: false,
      variant: "off",
      reason: "DISABLED",
      metadata: { revision: 7, by: "flag" },
    });
    expect(staff.all()).toMatchObject({ "new-checkout": true, limit: 50, gone: false });
  });

  test("a share of the users is in, always the same, and is told its bucket", () => {
    const flags = flagsOf();
    const isIn = (id: string) => flags.for({ targetingKey: id }).boolean("new-checkout");
    const ids = Array.from({ length: 10_000 }, (_, at) => `user-${at}`);
    const first = ids.filter(isIn);
    expect(first.length).toBeGreaterThan(2_300);
    expect(first.length).toBeLessThan(2_700);
    expect(ids.filter(isIn)).toStrictEqual(first);
    const details = flags.for({ targetingKey: first[0] }).booleanDetails("new-checkout");
    expect(details).toMatchObject({ reason: "SPLIT", metadata: { rule: "ramp" } });
    expect(details.metadata.bucket).toBeLessThan(250_000);
  });

  test("another kind, another key and no definitions are the caller's own value, with what went wrong", () => {
    const one = flagsOf().for({});
    expect(one.string("new-checkout", "mine")).toBe("mine");
    expect(one.stringDetails("new-checkout", "mine")).toMatchObject({
      value: "mine",
      reason: "ERROR",
      errorCode: "TYPE_MISMATCH",
    });
    expect(one.booleanDetails("new-chekout", true)).toMatchObject({ value: true, errorCode: "FLAG_NOT_FOUND" });
    expect(one.booleanDetails("new-chekout").errorMessage).toContain("Did you mean new-checkout?");
    const none = createFlags({ env: {} });
    expect(none.isReady).toBe(false);
    expect(none.for({}).booleanDetails("any", true)).toMatchObject({ value: true, errorCode: "PROVIDER_NOT_READY" });
    expect(none.for({}).number("any", 3)).toBe(3);
  });

  test("H074 and H076: names of an object's own members are no flags and no attributes", () => {
    const flags = flagsOf();
    for (const key of ["__proto__", "constructor", "toString", "hasOwnProperty", ""]) {
      expect(flags.for(JSON.parse('{"__proto__":{"email":"x@acme.com"}}')).booleanDetails(key)).toMatchObject({
        value: false,
        errorCode: "FLAG_NOT_FOUND",
      });
    }
    expect(flags.for(JSON.parse('{"__proto__":{"email":"x@acme.com"}}')).boolean("new-checkout")).toBe(false);
    expect(({} as { email?: string }).email).toBeUndefined();
  });

  test("a value that is an object cannot be changed for others", () => {
    const theme = flagsOf().for({}).json("theme", {}) as { colour: string; parts: string[] };
    expect(() => {
      theme.colour = "#fff";
    }).toThrow(TypeError);
    expect(() => theme.parts.push("b")).toThrow(TypeError);
  });
});

describe("contexts", () => {
  test("many are asked in turn, and each stays what it was when it was made", () => {
    const flags = flagsOf();
    const attributes = { targetingKey: "ada", email: "ada@acme.com", seats: 1 };
    const [ada, bob] = [flags.for(attributes), flags.for({ targetingKey: "bob", email: "bob@example.com", seats: 20 })];
    attributes.email = "ada@example.com";
    for (let turn = 0; turn < 3; turn += 1) {
      expect([ada.boolean("new-checkout"), bob.number("limit"), ada.number("limit")]).toStrictEqual([true, 50, 5]);
    }
  });

  test("H096: ids of any letters, and texts of any length, do no harm", () => {
    const flags = flagsOf();
    const details = (targetingKey: unknown) => flags.for({ targetingKey } as never).booleanDetails("new-checkout");
    for (const id of ["é".repeat(500), "\ud800", "\0", "😀".repeat(16), "a".repeat(4_096), "__proto__"]) {
      expect(details(id).reason).toMatch(/^(SPLIT|DEFAULT)$/);
      expect(details(id)).toStrictEqual(details(id));
    }
    // What UTF-8 cannot say is U+FFFD to every platform.
    expect(details("\ud800")).toStrictEqual(details("\ufffd"));
    for (const id of ["a".repeat(4_097), "é".repeat(2_049), "x".repeat(1_000_000)]) {
      expect(details(id)).toMatchObject({ value: false, reason: "ERROR", errorCode: "INVALID_CONTEXT" });
    }
    expect(details("ada").reason).not.toBe("ERROR");
    for (const id of [undefined, null, {}, [], "", Number.NaN, () => {}]) expect(details(id).reason).toBe("DEFAULT");
    expect(details(42)).toStrictEqual(details("42"));
    expect(details(42n)).toStrictEqual(details("42"));
  });
});

test("chance is loaded for flags that serve by it, when the first of them holds, and once", () => {
  const chance = vi.spyOn(crypto, "getRandomValues");
  try {
    const flags = flagsOf();
    flags.for({ targetingKey: "u" }).boolean("new-checkout");
    expect(chance).not.toHaveBeenCalled();
    const random = { version: 1, flags: { coin: { rules: [{ by: ["$random"], rollout: 50, serve: "on" }] } } };
    flags.update(random);
    const served = Array.from({ length: 200 }, () => flags.for({}).boolean("coin"));
    expect(new Set(served).size).toBe(2);
    expect(chance).toHaveBeenCalledTimes(1);
    const other = flagsOf({ definitions: random });
    expect(Array.from({ length: 200 }, () => other.for({}).boolean("coin"))).not.toEqual(served);
  } finally {
    chance.mockRestore();
  }
});

test("a context is written again where the core's memory has moved, and texts of all lengths beside each other are whole", () => {
  const texts = ["", "a", "é", "x".repeat(63), "x".repeat(64), "x".repeat(65), "😊".repeat(30), "y".repeat(1_000)];
  const rules = texts.map((text, at) => ({ if: [{ attr: `a${at}`, eq: text, not: true }], serve: "wrong" }));
  const mirrored = { version: 1, flags: { all: { variants: { right: 1, wrong: 2 }, default: "right", rules } } };
  const flags = flagsOf({ definitions: mirrored });
  const context = Object.fromEntries(texts.map((text, at) => [`a${at}`, text]));
  expect(flags.for(context).number("all")).toBe(1);
  // Larger definitions make the memory grow between two contexts.
  for (let size = 1; size < 4_000; size *= 8) {
    const many = Object.fromEntries(Array.from({ length: size }, (_, at) => [`flag-${at}`, { default: "on" }]));
    flags.update({ ...mirrored, flags: { ...mirrored.flags, ...many } });
    expect(flags.for(context).number("all")).toBe(1);
    expect(flags.for({ ...context, a3: "another" }).number("all")).toBe(2);
  }
});

test("names and values of variants are what the document says, in any script and of any length", () => {
  for (const text of ["", "a", "größe", "日本", "x".repeat(31), `${"x".repeat(31)}é`, "y".repeat(33)]) {
    const definitions = {
      version: 1,
      flags: { x: { variants: { [`v${text}`.slice(0, 20)]: text }, default: `v${text}`.slice(0, 20) } },
    };
    const flags = flagsOf({ definitions });
    expect(flags.for({}).stringDetails("x")).toMatchObject({ value: text });
    expect(flags.for({}).string("x")).toBe(text);
  }
});

test("one flag is asked with what it asks for, a second with all; a text that is too long is nothing to who does not ask for it", () => {
  const both = {
    version: 1,
    flags: {
      id: { rules: [{ by: ["targetingKey"], rollout: 99, serve: "on" }] },
      bio: { rules: [{ if: [{ attr: "bio", contains: "x" }], serve: "on" }] },
      pro: { rules: [{ if: [{ attr: "plan", eq: "pro" }], serve: "on" }] },
    },
  };
  const flags = flagsOf({ definitions: both });
  const orders = [
    ["id", "pro", "bio"],
    ["bio", "id", "pro"],
    ["pro", "bio", "id", "bio", "pro"],
  ];
  for (const order of orders) {
    const short = flags.for({ targetingKey: "user-1", bio: "x", plan: "pro" });
    for (const key of order) expect(short.boolean(key), key).toBe(true);
    const long = flags.for({ targetingKey: "user-1", bio: "x".repeat(5_000), plan: "pro" });
    for (const key of order) {
      expect(long.boolean(key), key).toBe(key !== "bio");
      expect(long.booleanDetails(key).errorCode, key).toBe(key === "bio" ? "INVALID_CONTEXT" : undefined);
      expect(
        flags.explain(key, { targetingKey: "user-1", bio: "x".repeat(5_000), plan: "pro" })?.reason === "ERROR",
      ).toBe(key === "bio");
    }
  }
});

describe("what holds", () => {
  test("definitions that are wrong are refused whole, with all that is wrong, and those before hold on", () => {
    const flags = flagsOf();
    const wrong = { version: 1, flags: { a: { rules: [{ rollout: 100.5, serv: "on" }] }, b: { default: "nothing" } } };
    let error: unknown;
    try {
      flags.update(wrong);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(FlagsRefusedError);
    const { problems, code } = error as FlagsRefusedError;
    expect(code).toBe("FLAGS_REFUSED");
    expect(problems.length).toBeGreaterThan(1);
    expect(problems.join("\n")).toContain("flags.a.rules[0]");
    expect(flags.revision).toBe(7);
    expect(flags.for({ email: "x@acme.com" }).boolean("new-checkout")).toBe(true);
    expect(() => flags.update("{")).toThrow(FlagsRefusedError);
    expect(() => flags.update(new Uint8Array([1, 2, 3]))).toThrow(/snapshot/);
  });

  test("a snapshot says the same, and one that was cut or changed is refused", () => {
    const bytes = flagsOf().snapshot();
    const packed = createFlags({ definitions: bytes, env: {} });
    const [one, other] = [flagsOf(), packed].map((flags) => flags.for({ targetingKey: "u1", seats: 11 }).all());
    expect(other).toStrictEqual(one);
    expect(packed.revision).toBe(7);
    expect(() => packed.update(bytes.slice(0, -1))).toThrow(FlagsRefusedError);
    const changed = bytes.slice();
    changed[changed.length - 3] = (changed.at(-3) as number) ^ 1;
    expect(() => packed.update(changed)).toThrow(/damaged/);
    expect(packed.for({ seats: 11 }).number("limit")).toBe(50);
  });

  test("ENV-03 to ENV-09: variables say what a flag is, off beats on, and a wrong one is refused by its name", () => {
    const env = { FEATURE_NEW_CHECKOUT: "true", FEATURE_LIMIT: "many", ROLLOUT_ONLY_HERE: "100", OTHER: "x" };
    const flags = flagsOf({ env });
    const nobody = flags.for({ targetingKey: "u" });
    expect(nobody.booleanDetails("new-checkout")).toMatchObject({
      value: true,
      reason: "STATIC",
      metadata: { by: "env" },
    });
    expect(nobody.number("limit")).toBe(50);
    expect(nobody.boolean("only-here")).toBe(true);
    flags.kill(["new-checkout"]);
    expect(nobody.booleanDetails("new-checkout", true)).toMatchObject({ value: false, metadata: { by: "kill" } });
    expect(() => flagsOf({ env: { ROLLOUT_NEW_CHECKOUT: "150 secret" } })).toThrow(/ROLLOUT_NEW_CHECKOUT/);
    expect(() => flagsOf({ env: { ROLLOUT_NEW_CHECKOUT: "150 secret" } })).not.toThrow(/secret/);
  });

  test("a kill holds at once for contexts that are there already, and is taken back", () => {
    const flags = flagsOf();
    const staff = flags.for({ email: "a@acme.com" });
    expect(staff.boolean("new-checkout", true)).toBe(true);
    flags.kill(true);
    expect(staff.boolean("new-checkout", true)).toBe(false);
    expect(staff.number("limit", 1)).toBe(1);
    flags.kill([]);
    expect(staff.boolean("new-checkout")).toBe(true);
  });

  test("listeners hear of other flags; what they throw is theirs", () => {
    const flags = flagsOf();
    const heard = vi.fn();
    const end = flags.on("change", heard);
    flags.on("change", () => {
      throw new Error("mine");
    });
    flags.update({ ...document, revision: 8 });
    expect(heard).toHaveBeenCalledWith({ revision: 8, warnings: [], hasNewDefinitions: true, flags: [] });
    end();
    flags.update({ ...document, revision: 9 });
    expect(heard).toHaveBeenCalledTimes(1);
  });

  test("what operators order holds; what they order wrongly is told, and what held before holds on", () => {
    let listener: (name: string, order: { version: number; value: Record<string, unknown> }) => unknown = () => {};
    let verified: (atMs: number) => unknown = () => {};
    const monitor: FlagOrders = {
      orders: { flags: { version: 1, value: document }, kill: { version: 1, value: { flags: ["limit"] } } },
      on: (event: string, heard: never) => {
        if (event === "verified") verified = heard;
        else listener = heard;
        return () => {};
      },
    };
    const flags = createFlags({ monitor, env: {} });
    expect(flags.propagation).toMatchObject({ store: "monitor", by: "monitor", withinMs: null });
    const refused = vi.fn();
    flags.on("refused", refused);
    const staff = flags.for({ email: "a@acme.com", seats: 99 });
    expect([staff.boolean("new-checkout"), staff.number("limit", -1)]).toStrictEqual([true, -1]);
    listener("kill", { version: 2, value: { all: true } });
    expect(staff.boolean("new-checkout", true)).toBe(false);
    listener("kill", { version: 3, value: {} });
    expect([staff.boolean("new-checkout"), staff.number("limit")]).toStrictEqual([true, 50]);
    listener("flags", { version: 2, value: { flags: { a: { rollout: 7 } } } });
    expect(refused).toHaveBeenCalledTimes(1);
    expect(staff.boolean("new-checkout")).toBe(true);
    listener("config", { version: 1, value: {} });
    // `maxAge` counts from when the monitor has found that there is nothing else.
    listener("kill", { version: 4, value: {} });
    listener("flags", {
      version: 3,
      value: { version: 1, flags: { aged: { maxAge: "5m", rules: [{ serve: "on" }] } } },
    });
    const reason = () => flags.for({}).booleanDetails("aged").reason;
    expect(reason()).toBe("STATIC");
    verified(Date.now() - 300_001);
    expect(reason()).toBe("STALE");
    verified(Date.now());
    expect(reason()).toBe("STATIC");
  });
});

describe("reports", () => {
  test("explain tells rule by rule why", () => {
    const told = flagsOf().explain("new-checkout", { targetingKey: "u1", email: "u1@example.com" });
    expect(told).toMatchObject({ flag: "new-checkout", revision: 7 });
    expect(told?.steps.map(({ step }) => step)).toContain("rule");
    expect(JSON.stringify(told)).toContain("staff");
    expect(flagsOf().explain("nope", {})).toBeUndefined();
  });

  test("whoMoves tells before it is saved who would get something else", () => {
    const flags = flagsOf();
    const sample = Array.from({ length: 2_000 }, (_, at) => ({ targetingKey: `u${at}` }));
    const ramped = structuredClone(document) as typeof document;
    (ramped.flags["new-checkout"].rules[1] as { rollout: number }).rollout = 50;
    const moved = flags.whoMoves(ramped, sample).find(({ flag }) => flag === "new-checkout");
    expect(moved).toMatchObject({ sample: 2_000, dropped: 0, switched: 0, changed: 0 });
    expect(moved?.enrolled).toBeGreaterThan(400);
    expect(moved?.enrolled).toBeLessThan(600);
    expect(() => flags.whoMoves("{", sample)).toThrow(FlagsRefusedError);
  });
});

test("a core that has trapped is replaced, filled again, and asked once more", async () => {
  const flags = flagsOf();
  const { FlagCore } = await import("../src/flags/generated/flags.js");
  const staff = flags.for({ email: "a@acme.com" });
  expect(staff.boolean("new-checkout")).toBe(true);
  const evaluate = vi.spyOn(FlagCore.prototype, "evaluate").mockImplementationOnce(() => {
    throw new WebAssembly.RuntimeError("unreachable");
  });
  expect(staff.boolean("new-checkout")).toBe(true);
  const inDetail = vi.spyOn(FlagCore.prototype, "evaluateInDetail");
  for (const always of [evaluate, inDetail]) {
    always.mockImplementation(() => {
      throw new WebAssembly.RuntimeError("unreachable");
    });
  }
  expect([staff.boolean("new-checkout"), staff.boolean("new-checkout", true)]).toStrictEqual([false, true]);
  expect(staff.booleanDetails("new-checkout", true)).toMatchObject({ value: true, errorCode: "GENERAL" });
  evaluate.mockRestore();
  inDetail.mockRestore();
  const snapshotted = flagsOf();
  const lone = flagsOf({ env: { FEATURE_LONE: "true" } }).for({ email: "a@acme.com" });
  for (const [method, asked, expected] of [
    ["find", () => lone.number("limit"), 5],
    ["alone", () => lone.boolean("lone"), true],
    ["all", () => lone.all().limit, 5],
    ["evaluateInDetail", () => lone.booleanDetails("new-checkout").reason, "TARGETING_MATCH"],
    ["rule", () => lone.booleanDetails("new-checkout").reason, "TARGETING_MATCH"],
    ["exposures", () => lone.boolean("lone") && snapshotted.exposures().length, 0],
    ["nearest", () => lone.booleanDetails("new-chekout").errorCode, "FLAG_NOT_FOUND"],
  ] as const) {
    const spy = vi.spyOn(FlagCore.prototype, method).mockImplementationOnce(() => {
      throw new WebAssembly.RuntimeError("unreachable");
    });
    expect(asked(), method).toBe(expected);
    expect(spy.mock.calls.length, method).toBeGreaterThan(0);
    spy.mockRestore();
  }
  expect(staff.boolean("new-checkout")).toBe(true);
  expect(flagsOf().for({ email: "a@acme.com" }).boolean("new-checkout")).toBe(true);
});

test("tools that have trapped are replaced, and what they were asked is asked once more", async () => {
  const tools = await import("../src/flags/tools/generated/flag-tools.js");
  const trap = vi.spyOn(tools.Compiled.prototype, "snapshot", "get");
  const fail = () => {
    throw new WebAssembly.RuntimeError("unreachable");
  };
  trap.mockImplementationOnce(fail);
  expect(compileFlags(document).snapshot).toStrictEqual(flagsOf().snapshot());
  const flags = flagsOf();
  trap.mockImplementation(fail);
  expect(() => flags.update({ version: 1, revision: 8 })).toThrow(FlagsRefusedError);
  trap.mockRestore();
  expect(flags.revision).toBe(7);
  expect(flags.for({ email: "a@acme.com" }).boolean("new-checkout")).toBe(true);
  flags.update({ version: 1, revision: 8 });
  expect(flags.revision).toBe(8);
});

describe("documents", () => {
  test("a document is compiled once, and flags of snapshots alone load what came of it", () => {
    const { snapshot, warnings } = compileFlags(document);
    expect(warnings).toStrictEqual([]);
    for (const definitions of [snapshot, snapshot.slice().buffer]) {
      const flags = createSnapshotFlags({ definitions, env: { FEATURE_LIMIT: "many" } });
      const staff = flags.for({ targetingKey: "ada", email: "ada@acme.com" });
      expect([staff.boolean("new-checkout"), staff.number("limit"), flags.revision]).toStrictEqual([true, 50, 7]);
      expect(flags.snapshot()).toStrictEqual(snapshot);
    }
    const flags = createSnapshotFlags({ definitions: snapshot, env: {} });
    expect(() => flags.update(document as never)).toThrow(/snapshots alone/);
    expect(flags.revision).toBe(7);
    // What was given is the caller's again.
    snapshot.fill(0);
    expect(flags.snapshot()).toStrictEqual(compileFlags(document).snapshot);
    expect(() => createSnapshotFlags({ env: {} }).snapshot()).toThrow(/No definitions/);
  });

  test("a document is checked without being taken", () => {
    expect(validateFlags(document)).toStrictEqual({ problems: [], warnings: [] });
    const { problems } = validateFlags({ version: 1, flags: { a: { default: "nothing" }, b: { rollout: 1 } } });
    expect(problems.length).toBe(2);
    const newer = { version: 1, flags: { a: { rules: [{ if: [{ attr: "x", newer: 1 }], serve: "on" }] } } };
    expect(validateFlags(newer).warnings.join()).toContain("flags.a.rules[0].if[0]");
  });

  test("documents come from elsewhere with their warnings, and go out in one form", () => {
    const unleash = { version: 2, features: [{ name: "x", enabled: true, strategies: [{ name: "default" }] }] };
    const { document: mine } = importFlags("unleash", JSON.stringify(unleash));
    expect(createFlags({ definitions: mine, env: {} }).for({}).boolean("x")).toBe(true);
    const flagd = { flags: { x: { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "on" } } };
    const { document: theirs, warnings } = importFlags("flagd", JSON.stringify(flagd));
    expect(createFlags({ definitions: theirs, env: {} }).for({}).boolean("x")).toBe(true);
    expect(warnings).toBeInstanceOf(Array);
    expect(() => importFlags("unleash", "{")).toThrow(FlagsRefusedError);
    expect(() => importFlags("other" as never, "{}")).toThrow(/unleash, flagd, growthbook or launchdarkly/);
    const exported = exportFlags(document);
    expect(exportFlags(exported)).toStrictEqual(exported);
    expect(compileFlags(exported).snapshot).toStrictEqual(compileFlags(document).snapshot);
  });

  test("the snapshot that an order brings is loaded, and its document where another release made that", () => {
    const compiled = Buffer.from(compileFlags({ ...document, revision: 9 }).snapshot).toString("base64");
    type Ordered = (name: string, order: { version: number; value: Record<string, unknown> }) => unknown;
    let listener: Ordered = () => {};
    const monitor = (order: object): FlagOrders => ({
      orders: { flags: { version: 1, value: document, ...order } },
      on: (event: string, heard: unknown) => {
        if (event === "order") listener = heard as Ordered;
        return () => {};
      },
    });
    expect(createSnapshotFlags({ monitor: monitor({ compiled }), env: {} }).revision).toBe(9);
    expect(createFlags({ monitor: monitor({ compiled }), env: {} }).revision).toBe(9);
    expect(createFlags({ monitor: monitor({ compiled: "AAAA" }), env: {} }).revision).toBe(7);
    const alone = createSnapshotFlags({ monitor: monitor({ compiled }), env: {} });
    const refused = vi.fn();
    alone.on("refused", refused);
    listener("flags", { version: 2, value: document });
    expect(refused).toHaveBeenCalledTimes(1);
    expect(alone.revision).toBe(9);
  });
});

describe("exposures", () => {
  const countsOf = (flags: { exposures(): readonly { flag: string; variant: string; count: number }[] }) =>
    Object.fromEntries(flags.exposures().map(({ flag, variant, count }) => [`${flag} ${variant}`, count]));

  test("each answer that serves a variant is counted, by flag and variant, and by nothing else", () => {
    const flags = flagsOf({ env: { FEATURE_THEME: '{"forced":true}' } });
    expect(flags.exposures()).toStrictEqual([]);
    const staff = flags.for({ targetingKey: "ada", email: "a@acme.com", seats: 12 });
    for (let turn = 0; turn < 3; turn += 1) staff.boolean("new-checkout");
    staff.numberDetails("limit");
    staff.json("theme", {});
    staff.boolean("nope");
    staff.all();
    flags.explain("limit", { seats: 12 });
    flags.whoMoves(document, [{ targetingKey: "ada" }]);
    expect(countsOf(flags)).toStrictEqual({ "new-checkout on": 3, "limit many": 1 });
    const first = Array.from({ length: 1_000 }, (_, at) => flags.for({ targetingKey: `u${at}` }).string("banner"));
    const short = first.filter((text) => text === "Hi").length;
    expect(countsOf(flags)).toMatchObject({ "banner short": short, "banner long": 1_000 - short });
  });

  test("a split as it was meant is no mismatch, and users who are lost on the way are found", () => {
    const flags = flagsOf();
    expect(flags.sampleRatio("new-checkout")).toBeUndefined();
    expect(flags.sampleRatio("nope")).toBeUndefined();
    expect(flags.sampleRatio("banner")).toMatchObject({ verdict: "notEnough", observed: { long: 0, short: 0 } });
    for (let at = 0; at < 3_000; at += 1) flags.for({ targetingKey: `u${at % 1_500}` }).string("banner");
    const ratio = flags.sampleRatio("banner");
    expect(ratio).toMatchObject({ verdict: "match", degrees: 1, expected: { long: 512, short: 512 } });
    expect((ratio?.observed.long ?? 0) + (ratio?.observed.short ?? 0)).toBe(1_024);
    expect(flags.explain("banner", { targetingKey: "u1" })?.sampleRatio).toStrictEqual(ratio);
    expect(flags.explain("limit", {})).not.toHaveProperty("sampleRatio");
    // The units outlive an edition in which the flag splits as before.
    flags.update({ ...document, revision: 8, flags: { a: {}, ...document.flags } });
    expect(flags.sampleRatio("banner")).toStrictEqual(ratio);
    // Half of those who get one variant never come.
    const lossy = flagsOf();
    const short = Array.from({ length: 3_000 }, (_, at) => `u${at}`).filter(
      (id, at) => at % 2 === 0 || flags.for({ targetingKey: id }).string("banner") === "Hi",
    );
    for (const id of short) lossy.for({ targetingKey: id }).string("banner");
    expect(lossy.sampleRatio("banner")).toMatchObject({ verdict: "mismatch" });
    expect(lossy.sampleRatio("banner")?.pValue).toBeLessThan(1e-6);
    expect(flags.mismatches()).toStrictEqual([]);
    const [mismatch, ...more] = lossy.mismatches();
    expect(more).toStrictEqual([]);
    expect(mismatch).toMatchObject({ flag: "banner", pValue: lossy.sampleRatio("banner")?.pValue });
    expect(mismatch?.rules[0]?.observed).toStrictEqual(lossy.sampleRatio("banner")?.observed);
    expect(mismatch?.rules[0]?.expected).toStrictEqual({ long: 512, short: 512 });
  });

  test("they never fall: not when definitions change, nor when the core has trapped", async () => {
    const flags = flagsOf();
    const staff = flags.for({ email: "a@acme.com", seats: 12 });
    staff.boolean("new-checkout");
    // Other flags, so that places are others.
    flags.update({ version: 1, flags: { a: {}, "new-checkout": document.flags["new-checkout"] } });
    staff.boolean("new-checkout");
    flags.kill(["a"]);
    staff.boolean("a");
    expect(countsOf(flags)).toStrictEqual({ "new-checkout on": 2, "a off": 1 });
    const { FlagCore } = await import("../src/flags/generated/flags.js");
    const evaluate = vi.spyOn(FlagCore.prototype, "evaluate").mockImplementationOnce(() => {
      throw new WebAssembly.RuntimeError("unreachable");
    });
    staff.boolean("new-checkout");
    evaluate.mockRestore();
    expect(countsOf(flags)).toStrictEqual({ "new-checkout on": 3, "a off": 1 });
  });
});
