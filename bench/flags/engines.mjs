// Each engine of flags by one interface, given what it would read from its own service.
import { floor } from "./floor.mjs";
import { flagdDocument, growthbookFeatures, keysOf, seawallDocument, unleashFeatures, users } from "./workload.mjs";

/** @typedef {(typeof users)[number]} User */

/**
 * An engine that has its flags.
 *
 * @typedef {object} Engine
 * @property {(user: User) => any} scope What a request makes once of its user, if the engine has such a thing.
 * @property {(scope: any, key: string) => boolean | Promise<boolean>} isOn
 * @property {(scope: any, key: string) => string | Promise<string>} variant
 * @property {(scope: any) => unknown} all Every flag.
 */

/**
 * @typedef {object} Kind
 * @property {() => string | Uint8Array | Promise<string | Uint8Array>} stored What lies in a store, or in the bundle.
 * @property {() => Promise<(stored: any) => Engine | Promise<Engine>>} loader Imports the package. What it returns loads.
 */

const KEYS = { boolean: keysOf("boolean"), complex: keysOf("complex"), static: keysOf("static") };

/** Every flag of engines that have no call for it. @param {Engine} engine @param {any} scope */
function eachOf({ isOn, variant }, scope) {
  /** @type {unknown[]} */
  const found = [];
  for (const key of KEYS.boolean) found.push(isOn(scope, key));
  for (const key of KEYS.complex) found.push(variant(scope, key));
  for (const key of KEYS.static) found.push(isOn(scope, key));
  return found;
}

/** @type {Record<string, Kind>} */
export const ENGINES = {
  seawall: {
    stored: async () => {
      const { compileFlags } = await import("../../js/dist/flags/index.js");
      return compileFlags(seawallDocument()).snapshot;
    },
    loader: async () => {
      const { createFlags } = await import("../../js/dist/flags/snapshot.js");
      return (/** @type {Uint8Array} */ definitions) => {
        const flags = createFlags({ definitions, env: {} });
        return {
          scope: (user) => flags.for(user),
          isOn: (scope, key) => scope.boolean(key),
          variant: (scope, key) => scope.string(key),
          all: (scope) => scope.all(),
        };
      };
    },
  },
  "unleash-client": {
    stored: () => JSON.stringify(unleashFeatures()),
    loader: async () => {
      const { InMemStorageProvider, Unleash } = await import("unleash-client");
      return async (/** @type {string} */ stored) => {
        const unleash = new Unleash({
          url: "http://127.0.0.1:1/",
          appName: "bench",
          refreshInterval: 0,
          disableMetrics: true,
          skipInstanceCountWarning: true,
          storageProvider: new InMemStorageProvider(),
          bootstrap: { data: JSON.parse(stored) },
        });
        // Nobody is at that address: it goes on with what it was given.
        unleash.on("error", () => {}).on("warn", () => {});
        await new Promise((resolve) => unleash.once("ready", () => resolve(undefined)));
        /** @type {Engine} */
        const engine = {
          scope: ({ targetingKey, country, plan, age }) => ({
            userId: targetingKey,
            properties: { country, plan, age: String(age) },
          }),
          isOn: (scope, key) => unleash.isEnabled(key, scope),
          variant: (scope, key) => unleash.getVariant(key, scope).payload?.value ?? "",
          all: (scope) => eachOf(engine, scope),
        };
        return engine;
      };
    },
  },
  growthbook: {
    stored: () => JSON.stringify(growthbookFeatures()),
    loader: async () => {
      const { GrowthBookClient } = await import("@growthbook/growthbook");
      return (/** @type {string} */ stored) => {
        const client = new GrowthBookClient({ trackingCallback: () => {} });
        client.initSync({ payload: { features: JSON.parse(stored) } });
        /** @type {Engine} */
        const engine = {
          scope: (user) => client.createScopedInstance({ attributes: user }),
          isOn: (scope, key) => scope.isOn(key),
          variant: (scope, key) => scope.getFeatureValue(key, ""),
          all: (scope) => eachOf(engine, scope),
        };
        return engine;
      };
    },
  },
  "flagd-core": {
    stored: () => JSON.stringify(flagdDocument()),
    loader: async () => {
      const { FlagdCore } = await import("@openfeature/flagd-core");
      return (/** @type {string} */ stored) => {
        const core = new FlagdCore();
        core.setConfigurations(stored);
        return {
          scope: (user) => user,
          isOn: (scope, key) => core.resolveBooleanEvaluation(key, false, scope).value,
          variant: (scope, key) => core.resolveStringEvaluation(key, "", scope).value,
          all: (scope) => core.resolveAll(scope),
        };
      };
    },
  },
  openfeature: {
    stored: () => JSON.stringify(flagdDocument()),
    loader: async () => {
      const { InMemoryProvider, OpenFeature } = await import("@openfeature/server-sdk");
      return async (/** @type {string} */ stored) => {
        const { flags } = JSON.parse(stored);
        // It has no rules: its evaluator is the application's own function, as short as it can be.
        for (const [key, flag] of Object.entries(flags)) {
          flag.disabled = false;
          if (key.endsWith("-boolean")) {
            flag.contextEvaluator = (/** @type {User} */ user) =>
              hash(key, user.targetingKey) % 100 < 25 ? "on" : "off";
          } else if (key.endsWith("-complex")) {
            flag.contextEvaluator = ({ country, plan, age, targetingKey }) =>
              COUNTRIES.has(country) && PLANS.has(plan) && age >= 18
                ? hash(key, targetingKey) & 1
                  ? "A"
                  : "B"
                : "off";
          }
          delete flag.targeting;
        }
        await OpenFeature.setProviderAndWait(new InMemoryProvider(flags));
        const client = OpenFeature.getClient();
        /** @type {Engine} */
        const engine = {
          scope: (user) => user,
          isOn: (scope, key) => client.getBooleanValue(key, false, scope),
          variant: (scope, key) => client.getStringValue(key, "", scope),
          all: (scope) => Promise.all(eachOf(engine, scope)),
        };
        return engine;
      };
    },
  },
};

// Held beside engines, and none.
ENGINES.floor = floor;

const COUNTRIES = new Set(users.map(({ country }) => country));
const PLANS = new Set(users.map(({ plan }) => plan));

/** FNV-1a. @param {string} key @param {string} id */
function hash(key, id) {
  let sum = 0x811c9dc5;
  for (const text of [key, id]) {
    for (let at = 0; at < text.length; at += 1) sum = Math.imul(sum ^ text.charCodeAt(at), 0x01000193);
  }
  return (sum ^ (sum >>> 15)) >>> 0;
}

/** Loads an engine and looks whether it does what it is asked. @param {string} name @returns {Promise<Engine>} */
export async function loaded(name) {
  const { stored, loader } = /** @type {Kind} */ (ENGINES[name]);
  const engine = await (await loader())(await stored());
  let isOn = 0;
  for (const user of users) {
    const scope = engine.scope(user);
    if (await engine.isOn(scope, KEYS.boolean[0] ?? "")) isOn += 1;
    if (!["a", "b"].includes(await engine.variant(scope, KEYS.complex[0] ?? "")))
      throw new Error("a rule did not match");
    if (!(await engine.isOn(scope, KEYS.static[0] ?? ""))) throw new Error("a flag for everybody is off");
  }
  if (Math.abs(isOn / users.length - 0.25) > 0.06) throw new Error(`${isOn} of ${users.length} users are in 25 %`);
  return engine;
}

/**
 * What is timed: each returns how many runs it made, or a promise of that.
 *
 * @param {Engine} engine
 * @returns {Record<string, (turn: number) => number | Promise<number>>}
 */
export function casesOf(engine) {
  const userAt = (/** @type {number} */ turn) => /** @type {User} */ (users[turn % users.length]);
  // Written, so that no answer is left out as useless.
  const tally = { served: 0 };
  /** Flags of one request, each waited for if it must be. @param {readonly string[]} keys @param {Engine["isOn"] | Engine["variant"]} ask */
  const scoped = (keys, ask) => {
    const isWaiting = ask(engine.scope(userAt(0)), keys[0] ?? "") instanceof Promise;
    return isWaiting
      ? async (/** @type {number} */ turn) => {
          const scope = engine.scope(userAt(turn));
          for (const key of keys) if (await ask(scope, key)) tally.served += 1;
          return keys.length;
        }
      : (/** @type {number} */ turn) => {
          const scope = engine.scope(userAt(turn));
          for (const key of keys) if (ask(scope, key)) tally.served += 1;
          return keys.length;
        };
  };
  const isWaiting = engine.isOn(engine.scope(userAt(0)), KEYS.boolean[0] ?? "") instanceof Promise;
  const CALLS = 256;
  const call = isWaiting
    ? async (/** @type {number} */ turn) => {
        for (let at = 0; at < CALLS; at += 1)
          if (await engine.isOn(engine.scope(userAt(turn * CALLS + at)), KEYS.boolean[at] ?? "")) tally.served += 1;
        return CALLS;
      }
    : (/** @type {number} */ turn) => {
        for (let at = 0; at < CALLS; at += 1)
          if (engine.isOn(engine.scope(userAt(turn * CALLS + at)), KEYS.boolean[at] ?? "")) tally.served += 1;
        return CALLS;
      };
  const bulk = (/** @type {number} */ turn) => {
    const found = engine.all(engine.scope(userAt(turn)));
    return found instanceof Promise ? found.then(() => 1) : 1;
  };
  return { boolean: scoped(KEYS.boolean, engine.isOn), complex: scoped(KEYS.complex, engine.variant), call, bulk };
}
