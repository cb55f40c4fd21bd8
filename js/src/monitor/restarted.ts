// What a caller of the monitor is told whose question its wasm did not survive.

/** The monitor's wasm failed while it was asked, and was replaced. Asking again works. */
export class MonitorRestartedError extends Error {
  override readonly name = "MonitorRestartedError";
  readonly code = "INSTANCE_RESTARTED";

  constructor(cause: unknown) {
    super("The monitor failed and was restarted. Ask again.", { cause });
  }
}
