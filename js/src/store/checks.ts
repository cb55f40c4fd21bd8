// What the stores ask of what they are given, and how long they wait for it.

/** Milliseconds after which a store gives up, unless told otherwise. */
const TIMEOUT_MS = 2_000;

/** Whether `value` has every one of these methods. */
export function hasMethods(value: unknown, methods: readonly string[]): boolean {
  const found = value as Record<string, unknown> | null | undefined;
  return found != null && methods.every((method) => typeof found[method] === "function");
}

/**
 * Fails unless `value` has these methods.
 *
 * @throws TypeError that names the function called and what it wants.
 */
export function demandMethods(value: unknown, methods: readonly string[], caller: string, wanted: string): void {
  if (!hasMethods(value, methods)) {
    throw new TypeError(`${caller} needs ${wanted}, with the methods ${methods.join(", ")}; it got ${kindOf(value)}.`);
  }
}

/** What a value is, in a word: a value itself may be a secret. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "object" ? `an object of class ${value.constructor?.name ?? "?"}` : typeof value;
}

/**
 * Milliseconds from an option.
 *
 * @throws TypeError when it is no number above 0.
 */
export function timeoutOf(option: number | undefined, caller: string): number {
  const ms = option ?? TIMEOUT_MS;
  if (typeof ms !== "number" || !(ms > 0)) {
    throw new TypeError(`${caller}: timeout is in milliseconds and above 0; it got ${String(option)}.`);
  }
  return ms;
}

/** `work`, unless it takes longer than `ms`: a client that waits for its connection may wait for ever. */
export async function within<T>(ms: number, store: string, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the ${store} store did not answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
