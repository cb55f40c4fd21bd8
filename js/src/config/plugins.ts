// Parts that settings name: stores of hints and ways to send requests that somebody else wrote.

import type { Store } from "../store/store.ts";
import type { SeawallOptions, StateOptions } from "./options.ts";

/** Something that settings can name, so that a file of settings can choose it. */
export interface Plugin {
  /** The name that settings say: letters, digits, `-` and `_`. */
  name: string;
  /** Makes a store of hints for `state: { store: name, storeSettings }`. */
  createStore?(settings: Readonly<Record<string, unknown>>): Store;
  /** Sends requests for `transport: name`: gets one `Request`, returns a promise of a `Response`. */
  fetch?(request: Request): Promise<Response>;
}

const NAME = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * Options in which plugins stand for their names, and the way to send requests if one was named.
 *
 * @throws Error that names what is wrong: two plugins of one name, a name that none has, a plugin that lacks the part.
 */
export function pluggedIn(options: SeawallOptions): { options: SeawallOptions; fetch: Plugin["fetch"] } {
  const { plugins = [], transport, ...rest } = options;
  const problems: string[] = [];
  const names = plugins.map(({ name }) => name);
  for (const name of names) {
    if (!NAME.test(name))
      problems.push(`plugins: ${JSON.stringify(String(name).slice(0, 40))} is no name for a plugin`);
  }
  if (new Set(names).size < names.length) problems.push("plugins: two have the same name");
  const find = (name: string, part: "createStore" | "fetch", path: string): Plugin | undefined => {
    const plugin = plugins.find((it) => it.name === name);
    if (typeof plugin?.[part] === "function") return plugin;
    const known = plugins.filter((it) => typeof it[part] === "function").map((it) => it.name);
    problems.push(
      `${path} must be the name of a plugin with ${part}() (${known.join(", ") || "there is none"}), got ${JSON.stringify(name.slice(0, 40))}`,
    );
    return undefined;
  };
  const { state } = rest;
  if (typeof state?.store === "string") {
    const { storeSettings = {}, ...others } = state;
    const store = find(state.store, "createStore", "state.store")?.createStore?.(storeSettings);
    if (store !== undefined) rest.state = { ...others, store } as StateOptions;
  }
  const sender = transport === undefined ? undefined : find(transport, "fetch", "transport");
  if (problems.length > 0) throw new Error(`invalid configuration: ${problems.join("; ")}`);
  return { options: rest, fetch: sender?.fetch?.bind(sender) };
}
