// What every engine of flags is asked, in the form of each: the same 1,000 flags and the same 1,024 users.
//
// Half of the flags are boolean with a share of 25 %, three in ten have three conditions, which every user meets, and two
// variants, the others are the same for everybody.

export const FLAGS = 1_000;
export const USERS = 1_024;

const COUNTRIES = ["DE", "FR", "IT", "ES", "NL"];
const PLANS = ["pro", "team"];
const AGE = 18;

/** @typedef {"boolean" | "complex" | "static"} Kind */

/** What kind of flag stands at a place. @param {number} at @returns {Kind} */
const kindOf = (at) => (at % 10 < 5 ? "boolean" : at % 10 < 8 ? "complex" : "static");

/** @type {readonly { key: string, kind: Kind }[]} */
const ALL = Array.from({ length: FLAGS }, (_, at) => ({
  key: `flag-${String(at).padStart(4, "0")}-${kindOf(at)}`,
  kind: kindOf(at),
}));

/** Keys of the flags of one kind, as literals in an application's code are: names of members are kept once. @param {Kind} kind */
export const keysOf = (kind) => {
  const keys = ALL.filter((flag) => flag.kind === kind).map(({ key }) => key);
  return Object.keys(Object.fromEntries(keys.map((key) => [key, true])));
};

/** Four attributes, as an application has them. */
export const users = Array.from({ length: USERS }, (_, at) => ({
  targetingKey: `user-${(at * 7_919) % 100_003}`,
  country: /** @type {string} */ (COUNTRIES[at % COUNTRIES.length]),
  plan: /** @type {string} */ (PLANS[at % PLANS.length]),
  age: AGE + (at % 60),
}));

/** @template T @param {Record<Kind, (key: string) => T>} forms */
const each = (forms) => ALL.map(({ key, kind }) => /** @type {const} */ ([key, forms[kind](key)]));

/** Ours. */
export function seawallDocument() {
  const conditions = [
    { attr: "country", in: COUNTRIES },
    { attr: "plan", in: PLANS },
    { attr: "age", gte: AGE },
  ];
  const flags = each({
    boolean: () => ({ rules: [{ rollout: 25, serve: "on" }] }),
    complex: () => ({
      variants: { A: "a", B: "b", off: "" },
      default: "off",
      rules: [{ if: conditions, serve: { A: 50, B: 50 } }],
    }),
    static: () => ({ default: "on" }),
  });
  return { version: 1, revision: 1, flags: Object.fromEntries(flags) };
}

/** Client features of Unleash. */
export function unleashFeatures() {
  const parameters = (/** @type {string} */ rollout, /** @type {string} */ groupId) => ({
    rollout,
    groupId,
    stickiness: "userId",
  });
  const constraint = (/** @type {string} */ contextName, /** @type {object} */ rest) => ({
    contextName,
    inverted: false,
    caseInsensitive: false,
    ...rest,
  });
  const constraints = [
    constraint("country", { operator: "IN", values: COUNTRIES }),
    constraint("plan", { operator: "IN", values: PLANS }),
    constraint("age", { operator: "NUM_GTE", value: String(AGE) }),
  ];
  const variant = (/** @type {string} */ name) => ({
    name,
    weight: name === "off" ? 0 : 500,
    stickiness: "userId",
    payload: { type: "string", value: name.toLowerCase() },
  });
  const feature = (/** @type {string} */ name, /** @type {object} */ strategy) => ({
    name,
    type: "release",
    enabled: true,
    stale: false,
    impressionData: false,
    variants: [],
    strategies: [strategy],
  });
  return each({
    boolean: (key) => feature(key, { name: "flexibleRollout", parameters: parameters("25", key), constraints: [] }),
    complex: (key) =>
      feature(key, {
        name: "flexibleRollout",
        parameters: parameters("100", key),
        constraints,
        variants: [variant("A"), variant("B")],
      }),
    static: (key) => feature(key, { name: "default", parameters: {}, constraints: [] }),
  }).map(([, found]) => found);
}

/** Features of GrowthBook. */
export function growthbookFeatures() {
  const condition = { country: { $in: COUNTRIES }, plan: { $in: PLANS }, age: { $gte: AGE } };
  return Object.fromEntries(
    each({
      boolean: () => ({
        defaultValue: false,
        rules: [{ force: true, coverage: 0.25, hashAttribute: "targetingKey", hashVersion: 2 }],
      }),
      complex: (key) => ({
        defaultValue: "",
        rules: [
          {
            key,
            condition,
            variations: ["a", "b"],
            weights: [0.5, 0.5],
            coverage: 1,
            hashAttribute: "targetingKey",
            hashVersion: 2,
          },
        ],
      }),
      static: () => ({ defaultValue: true }),
    }),
  );
}

/** The flags of flagd. */
export function flagdDocument() {
  const met = {
    and: [{ in: [{ var: "country" }, COUNTRIES] }, { in: [{ var: "plan" }, PLANS] }, { ">=": [{ var: "age" }, AGE] }],
  };
  const switches = { on: true, off: false };
  const flags = each({
    boolean: () => ({
      state: "ENABLED",
      variants: switches,
      defaultVariant: "off",
      targeting: {
        fractional: [
          ["on", 25],
          ["off", 75],
        ],
      },
    }),
    complex: () => ({
      state: "ENABLED",
      variants: { A: "a", B: "b", off: "" },
      defaultVariant: "off",
      targeting: {
        if: [
          met,
          {
            fractional: [
              ["A", 50],
              ["B", 50],
            ],
          },
        ],
      },
    }),
    static: () => ({ state: "ENABLED", variants: switches, defaultVariant: "on" }),
  });
  return { flags: Object.fromEntries(flags) };
}
