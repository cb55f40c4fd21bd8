// A Durable Object of the deployable Worker: one for all places, which keeps texts in a SQLite database of its own.
//
// A Worker of yours reaches it by a binding to that Worker's class:
//
//   [[durable_objects.bindings]]
//   name = "SEAWALL_STORE"
//   class_name = "SeawallStore"
//   script_name = "seawall"

import { demandMethods, timeoutOf, within } from "./checks.ts";
import { type Change, checkChanges, type StrongStore } from "./strong.ts";

/** The part of a `DurableObjectNamespace` that is used. */
export interface DurableObjectNamespaceLike {
  idFromName(name: string): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: the platform's own type of identifiers cannot be named here
  get(id: any): { fetch(url: string, init: { method: string; body: string }): Promise<Response> };
}

/** How much of what the object says is repeated in an error. */
const MESSAGE_MAX = 200;
/** Which object, unless told otherwise. The deployable Worker asks this one. */
const NAME = "seawall";
/** Nothing is ever asked there: the stub is what is asked. */
const URL = "https://seawall.invalid/";

/** What the object is asked: as src/orders/remote.rs reads it. */
type Ask = { ask: "read"; key: string } | { ask: "swap"; changes: readonly Change[] } | { ask: "list"; prefix: string };

interface Told {
  text?: string | null;
  swapped?: boolean;
  keys?: string[];
  failed?: string;
}

/**
 * Makes a strong store of a binding to the deployable Worker's Durable Object.
 *
 * @param namespace As it is bound: `env.SEAWALL_STORE`.
 * @param options.timeout Milliseconds that a call may take; 2000 by default.
 * @param options.name Which object; `seawall` by default, as the deployable Worker has it.
 * @throws TypeError when `namespace` is none.
 */
export function durableObjectStore(
  namespace: DurableObjectNamespaceLike,
  options: { timeout?: number; name?: string } = {},
): StrongStore {
  demandMethods(namespace, ["idFromName", "get"], "durableObjectStore", "a Durable Object namespace, as it is bound");
  const timeout = timeoutOf(options.timeout, "durableObjectStore");
  const { name = NAME } = options;
  const ask = async (question: Ask): Promise<Told> => {
    // A stub belongs to the request that made it.
    const stub = namespace.get(namespace.idFromName(name));
    const response = await stub.fetch(URL, { method: "POST", body: JSON.stringify(question) });
    const text = await response.text();
    let told: Told | null = null;
    try {
      told = JSON.parse(text);
    } catch {}
    if (response.status === 200 && told !== null && told.failed === undefined) return told;
    const problem = told?.failed ?? `HTTP ${response.status} and no answer: is the binding to the class SeawallStore?`;
    throw new Error(`the durable object store answered: ${problem.slice(0, MESSAGE_MAX)}`);
  };
  const limited = (question: Ask) => within(timeout, "durable object", ask(question));
  return {
    name: "durable-object",
    read: async (key) => (await limited({ ask: "read", key })).text ?? null,
    async swap(changes) {
      checkChanges(changes);
      return (await limited({ ask: "swap", changes })).swapped === true;
    },
    list: async (prefix) => ((await limited({ ask: "list", prefix })).keys ?? []).sort(),
  };
}
