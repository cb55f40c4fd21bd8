// OpenFeature's own server SDK with our provider: flags of each kind, and everything put back after a test.
import { type Client, type JsonValue, NOOP_TRANSACTION_CONTEXT_PROPAGATOR, OpenFeature } from "@openfeature/server-sdk";
import type { FlagOrders } from "../src/flags/flags.ts";
import { createFlags, type FlagDocument, type FlagsOptions } from "../src/flags/index.ts";
import { type OpenFeatureOptions, openFeatureProvider } from "../src/openfeature/index.ts";

export type Kind = "boolean" | "string" | "number" | "object";
export const KINDS: readonly Kind[] = ["boolean", "string", "number", "object"];

/** What flags of each kind are when they are on and off, and what the code says where they say nothing. */
export const VALUES: Record<Kind, { on: JsonValue; off: JsonValue; fallback: JsonValue }> = {
  boolean: { on: true, off: false, fallback: true },
  string: { on: "blue", off: "grey", fallback: "red" },
  number: { on: 0.5, off: 0, fallback: -1 },
  object: { on: { parts: ["a", { deep: null }] }, off: {}, fallback: { own: true } },
};

const STAFF = { attr: "email", endsWith: "@acme.com" };

/** `string.static`, `number.split` and so on: the same flags of each kind. */
export const DOCUMENT = {
  version: 1,
  revision: 12,
  flags: Object.fromEntries(
    KINDS.flatMap((kind) => {
      const variants = { on: VALUES[kind].on, off: VALUES[kind].off };
      const flags = {
        static: { default: "on" },
        targeted: { rules: [{ id: "staff", if: [STAFF], serve: "on" }] },
        split: { rules: [{ id: "ab", serve: { on: 50, off: 50 } }] },
        disabled: { enabled: false, default: "on" },
        stale: { maxAge: "1m", rules: [{ id: "ab", serve: { on: 50, off: 50 } }] },
        strict: { strict: true, rules: [{ rollout: 50, serve: "on" }] },
        required: { requires: [{ flag: "boolean.disabled", is: ["on"] }], rules: [{ serve: "on" }] },
      };
      return Object.entries(flags).map(([name, flag]) => [`${kind}.${name}`, { default: "off", variants, ...flag }]);
    }),
  ),
} satisfies FlagDocument;

export const flagsOf = (options: FlagsOptions = {}) => createFlags({ definitions: DOCUMENT, env: {}, ...options });

/** A client of an SDK whose provider is ours. */
export async function clientOf(flags = flagsOf(), options: OpenFeatureOptions = {}): Promise<Client> {
  await OpenFeature.setProviderAndWait(openFeatureProvider(flags, options));
  return OpenFeature.getClient();
}

/** Asks for a flag as its kind is asked for. */
export function details(client: Client, kind: Kind, key: string, context = {}, fallback = VALUES[kind].fallback) {
  switch (kind) {
    case "boolean":
      return client.getBooleanDetails(key, fallback as boolean, context);
    case "string":
      return client.getStringDetails(key, fallback as string, context);
    case "number":
      return client.getNumberDetails(key, fallback as number, context);
    default:
      return client.getObjectDetails(key, fallback, context);
  }
}

/** The same for the value alone. */
export function value(client: Client, kind: Kind, key: string, context = {}, fallback = VALUES[kind].fallback) {
  switch (kind) {
    case "boolean":
      return client.getBooleanValue(key, fallback as boolean, context);
    case "string":
      return client.getStringValue(key, fallback as string, context);
    case "number":
      return client.getNumberValue(key, fallback as number, context);
    default:
      return client.getObjectValue(key, fallback, context);
  }
}

/** A monitor that passes on what a test orders. */
export function orders() {
  type Ordered = (name: string, order: { version: number; value: Record<string, unknown> }) => unknown;
  let listener: Ordered = () => {};
  const monitor: FlagOrders = {
    orders: {},
    on: (event: string, heard: unknown) => {
      if (event === "order") listener = heard as Ordered;
      return () => {};
    },
  };
  let version = 0;
  const order = (name: "flags" | "kill", said: Record<string, unknown>) => {
    version += 1;
    listener(name, { version, value: said });
  };
  return { monitor, order };
}

/** The SDK as it was when it was loaded: it is one for the whole program. */
export async function reset(): Promise<void> {
  await OpenFeature.clearProviders();
  OpenFeature.clearHandlers();
  OpenFeature.clearHooks();
  OpenFeature.setContext({});
  OpenFeature.setTransactionContextPropagator(NOOP_TRANSACTION_CONTEXT_PROPAGATOR);
}

/** What the SDK has begun has ended: its handlers run in microtasks. */
export const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
