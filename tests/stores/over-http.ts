// A store that lives in another runtime, asked over HTTP: one POST for each call.
import type { Store, StoreCaps } from "../../js/src/store/store.ts";
import type { StrongStore } from "../../js/src/store/strong.ts";

/** What a runtime is asked. */
export interface Ask {
  /** Which of its stores. */
  store: string;
  method: string;
  args: unknown[];
}

/** Answers a request with one of `stores`; an error is an answer too. */
export async function serve(request: Request, stores: Record<string, object>): Promise<Response> {
  const { store: name, method, args } = (await request.json()) as Ask;
  const store = stores[name] as unknown as Record<string, (...args: unknown[]) => Promise<unknown>> & Store;
  if (method === "caps") return Response.json({ value: store.caps });
  try {
    return Response.json({ value: (await store[method]?.(...args)) ?? null });
  } catch (error) {
    return Response.json({ error: String(error) });
  }
}

/** A way to ask one store of the runtime at `url`. */
export function asker(url: string | URL, store: string): (method: string, ...args: unknown[]) => Promise<unknown> {
  return async (method, ...args) => {
    const response = await fetch(url, { method: "POST", body: JSON.stringify({ store, method, args } satisfies Ask) });
    const { value, error } = (await response.json()) as { value?: unknown; error?: string };
    if (error !== undefined) throw new Error(error);
    return value;
  };
}

/** The strong store of that name in the runtime at `url`. */
export function strongStoreAt(url: string | URL, store: string): StrongStore {
  const ask = asker(url, store);
  return {
    name: store,
    read: async (key) => (await ask("read", key)) as string | null,
    swap: async (changes) => (await ask("swap", changes)) as boolean,
    list: async (prefix) => (await ask("list", prefix)) as string[],
  };
}

/** The store of that name in the runtime at `url`. */
export async function storeAt(url: string | URL, store: string): Promise<Store> {
  const ask = asker(url, store);
  // JSON has no undefined.
  const caps = { writesPerSecond: undefined, ...((await ask("caps")) as object) } as StoreCaps;
  return {
    name: store,
    caps,
    get: async (key) => (await ask("get", key)) as string | null,
    put: async (key, text, ttlSeconds) => {
      await ask("put", key, text, ttlSeconds);
    },
    ...(caps.compareAndSet && {
      compareAndSet: async (...args: unknown[]) => (await ask("compareAndSet", ...args)) as boolean,
    }),
    ...(caps.list === true && { list: async (prefix: string) => (await ask("list", prefix)) as string[] }),
  };
}
