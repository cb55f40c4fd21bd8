// Stands in for the Worker's core: an instance that can die in each way that the real one can, had it a defect.
/** (module (func (export "trap") unreachable) (func $f (export "over") call $f)) */
const BYTES = [
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 3, 2, 0, 0],
  ...[7, 15, 2, 4, 116, 114, 97, 112, 0, 0, 4, 111, 118, 101, 114, 0, 1, 10, 10, 2, 3, 0, 0, 11, 4, 0, 16, 1, 11],
];
const module = new WebAssembly.Module(new Uint8Array(BYTES));
const state = { criticalError: false };
let instance = new WebAssembly.Instance(module);
let generation = 1;
let served = 0;

export function __worker_init_state(): { criticalError: boolean } {
  return state;
}

export function __wbg_reset_state(): void {
  instance = new WebAssembly.Instance(module);
  generation += 1;
  served = 0;
}

/** How often an instance was told that it replaces another. */
let successors = 0;

export function succeeds(): void {
  successors += 1;
}

/** Ends the instance; never returns. */
function trap(): never {
  return (instance.exports.trap as () => never)();
}

/** The same by a stack that ends within wasm, which is no trap to V8. */
function overflow(): never {
  return (instance.exports.over as () => never)();
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export async function fetch(request: Request): Promise<Response> {
  served += 1;
  switch (new URL(request.url).pathname) {
    case "/trap":
      return trap();
    case "/overflow":
      return overflow();
    case "/late-overflow":
      return new Promise(() => {
        setTimeout(() => queueMicrotask(overflow), 20);
      });
    case "/late-trap":
      // As a panic in a Rust future: a timer queues the continuation, which throws, and the promise stays pending.
      return new Promise(() => {
        setTimeout(() => queueMicrotask(trap), 150);
      });
    case "/slow":
      await pause(300);
      break;
    case "/error":
      throw new Error("an error that is no trap");
  }
  return Response.json({ generation, served, successors });
}

export async function scheduled(): Promise<void> {
  trap();
}
