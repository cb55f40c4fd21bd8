// What workerd loads: the Wasm core behind two handlers, replaced when it dies.
//
// A Rust panic ends the instance and leaves the promises of all its requests pending; workerd would end each of them
// with "code had hung". Here they get an answer at once, and the next request gets a fresh instance.
import * as core from "seawall-core";

const instance = core.__worker_init_state();
/** Longer than any request takes, in milliseconds. */
const LIMIT_MS = 60_000;
/** Requests in flight on this instance: the way to end each, and when it began. Oldest first. */
const running = new Map();

// A panic in a continuation rejects nothing; it only reaches this event.
addEventListener("error", (event) => {
  if (isFatal(event.error)) died(event.error);
});

/** Whether an error costs the instance. A stack that ends within wasm is no trap to V8, and what was half done stays so. */
function isFatal(error) {
  if (error instanceof WebAssembly.RuntimeError) return true;
  return error instanceof RangeError && error.message.includes("call stack");
}

function died(error) {
  console.error("seawall: the Wasm instance ended and will be replaced:", String(error));
  instance.criticalError = true;
  for (const end of [...running.keys()]) end(error);
}

/** How many instances there were before this one. */
let generation = 0;

function revive() {
  if (!instance.criticalError) return;
  core.__wbg_reset_state();
  core.succeeds();
  instance.criticalError = false;
  generation += 1;
}

/** Forgets what was still running when its end was due: nobody runs the `finally` of callers who left. */
function forgetVanished() {
  for (const [end, beganAt] of running) {
    if (Date.now() - beganAt <= 2 * LIMIT_MS) return;
    running.delete(end);
  }
}

async function guarded(work, signal) {
  revive();
  forgetVanished();
  let end;
  const ended = new Promise((_, reject) => {
    end = reject;
  });
  running.set(end, Date.now());
  signal?.addEventListener("abort", () => running.delete(end), { once: true });
  // A request that waits for nothing of its own when another one ends it is taken for hung: hence a timer of its own.
  const limit = setTimeout(end, LIMIT_MS, new Error(`no answer within ${LIMIT_MS} ms`));
  try {
    return await Promise.race([work(), ended]);
  } catch (error) {
    if (isFatal(error) && !instance.criticalError) died(error);
    throw error;
  } finally {
    clearTimeout(limit);
    running.delete(end);
  }
}

function problem(error) {
  const [code, message] = isFatal(error)
    ? ["INSTANCE_RESTARTED", "The Worker failed while it answered and has been restarted. Ask again."]
    : ["INTERNAL_ERROR", "The Worker failed while it answered. Its log says why."];
  const headers = { "cache-control": "no-store" };
  return Response.json({ error: { code, message } }, { status: 500, headers });
}

/** The Durable Object that keeps orders and records: src/worker/object.rs, made anew when its instance is. */
export class SeawallStore {
  #state;
  #env;
  #object;
  #generation;

  constructor(state, env) {
    this.#state = state;
    this.#env = env;
  }

  fetch(request) {
    return guarded(() => this.#current().fetch(request));
  }

  #current() {
    if (this.#object === undefined || this.#generation !== generation) {
      this.#object = new core.SeawallStore(this.#state, this.#env);
      this.#generation = generation;
    }
    return this.#object;
  }
}

export default {
  async fetch(request, env, ctx) {
    try {
      return await guarded(() => core.fetch(request, env, ctx), request.signal);
    } catch (error) {
      console.error("seawall:", String(error));
      return problem(error);
    }
  },
  scheduled: (event, env, ctx) => guarded(() => core.scheduled(event, env, ctx)),
};
