// When a wasm instance is unusable, by what a call into it has thrown.

/**
 * Whether an error that came out of wasm means that the instance must be replaced.
 *
 * A stack that ends in the middle of wasm is no trap to the engines, which throw what they throw for JavaScript: a
 * `RangeError`, or in Firefox an `InternalError`. What was half done then stays half done.
 */
export function isTrap(error: unknown): boolean {
  return (
    error instanceof WebAssembly.RuntimeError ||
    error instanceof RangeError ||
    (error as Error | undefined)?.name === "InternalError"
  );
}
