// What workerd loads: the Wasm core behind two handlers, replaced when it dies.
//
// A Rust panic ends the instance and leaves the promises of all its requests pending; workerd would end each of them
// with "code had hung". Here they get an answer at once, and the next request gets a fresh instance.
import * as core from "seawall-core";

const instance = core.__worker_init_state();
/** Requests in flight on this instance, each with the way to end it. */
const running = new Set();

// A panic in a continuation rejects nothing; it only reaches this event.
addEventListener("error", (event) => {
  if (event.error instanceof WebAssembly.RuntimeError) died(event.error);
});

function died(error) {
  console.error("seawall: the Wasm instance ended and will be replaced:", String(error));
  instance.criticalError = true;
  for (const end of [...running]) end(error);
}

function revive() {
  if (!instance.criticalError) return;
  core.__wbg_reset_state();
  instance.criticalError = false;
}

async function guarded(work) {
  revive();
  let end;
  const ended = new Promise((_, reject) => {
    end = reject;
  });
  running.add(end);
  try {
    return await Promise.race([work(), ended]);
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError && !instance.criticalError) died(error);
    throw error;
  } finally {
    running.delete(end);
  }
}

export default {
  async fetch(request, env, ctx) {
    try {
      return await guarded(() => core.fetch(request, env, ctx));
    } catch {
      const message = "The Worker failed while it answered and has been restarted. Ask again.";
      return Response.json(
        { error: { code: "INSTANCE_RESTARTED", message } },
        { status: 500, headers: { "cache-control": "no-store" } },
      );
    }
  },
  scheduled: (event, env, ctx) => guarded(() => core.scheduled(event, env, ctx)),
};
