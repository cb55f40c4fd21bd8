// What one isolate tells of itself: how large its wasm memory is, how many JavaScript values its core holds, and
// rejections that nobody handled.
//
// Imported before the code under test, so that it sees every instance of the core that is made.

let memory: WebAssembly.Memory | undefined;
let table: WebAssembly.Table | undefined;
let rejections = 0;
let lastRejection = "";

const Instance = WebAssembly.Instance;
WebAssembly.Instance = new Proxy(Instance, {
  construct(target, args) {
    const made = Reflect.construct(target, args) as WebAssembly.Instance;
    const { memory: ownMemory, __wbindgen_externrefs: ownTable } = made.exports;
    if (ownMemory instanceof WebAssembly.Memory) memory = ownMemory;
    if (ownTable instanceof WebAssembly.Table) table = ownTable;
    return made;
  },
});

addEventListener("unhandledrejection", (event) => {
  rejections += 1;
  lastRejection = String((event as { reason?: unknown }).reason);
});

/** Handles that the core holds of JavaScript values. wasm-bindgen sets null where it has let go of one; a handle of null is not seen. */
function handles(): number {
  let held = 0;
  for (let index = 0; index < (table?.length ?? 0); index += 1) if (table?.get(index) !== null) held += 1;
  return held;
}

/** What has been seen. */
export function watched() {
  return {
    wasmBytes: memory?.buffer.byteLength ?? 0,
    handles: handles(),
    handlePlaces: table?.length ?? 0,
    rejections,
    lastRejection,
  };
}

/** Counts of what an isolate asked of its KV namespace. */
export const kvCounts = { gets: 0, puts: 0 };

const copies = new Map<string, { at: number; value: unknown }>();

/**
 * The namespace itself, with every call of `get` and `put` counted.
 *
 * workerd's own answers at once with what was put last. `staleMs` makes of it what it is in a network: what was read
 * is read again for so long, also that nothing was there.
 */
export function counted<T extends object>(namespace: T, staleMs = 0): T {
  return new Proxy(namespace, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return async (...args: unknown[]) => {
        if (name === "put") kvCounts.puts += 1;
        if (name !== "get") return value.apply(target, args);
        kvCounts.gets += 1;
        const key = String(args[0]);
        const copy = copies.get(key);
        if (copy !== undefined && Date.now() - copy.at < staleMs) return copy.value;
        const read = { at: Date.now(), value: await value.apply(target, args) };
        copies.set(key, read);
        return read.value;
      };
    },
  });
}
