// The lease that an interactive transaction holds, from its start to its end or its deadline.

import { type CoreHandle, Place } from "./core.ts";
import type { Lease } from "./operation.ts";

/** A held lease is renewed this often at least, in milliseconds. */
export const RENEWAL_MAX_MS = 60_000;

/** A timer that is this late never fires: its request is gone. In milliseconds. */
const LATENESS_MAX_MS = 10_000;

/**
 * Holds the lease of `call`, renewing it on a timer of the request that calls this.
 *
 * @param onRelease Told once, with what the core asks to be looked at.
 */
export function holdLease(
  call: number,
  handle: CoreHandle,
  now: () => number,
  onRelease: (look: number) => void,
): Lease {
  const timeoutMs = handle.read(Place.TimeoutMs);
  const renewMs = Math.min(Math.max(handle.read(Place.RenewMs), 1), RENEWAL_MAX_MS);
  let left = timeoutMs > 0 ? timeoutMs : Number.POSITIVE_INFINITY;
  const connection = handle.connectionOf(call);
  const endsAt = now() + left;
  let lapsed = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let dueAt = now();
  const release = () => {
    if (timer === undefined) return;
    clearTimeout(timer);
    timer = undefined;
    // What the transaction's statements met was counted with them: the lease itself is no evidence.
    onRelease(handle.cancel(call, now()));
  };
  const arm = () => {
    const delay = Math.min(left, renewMs);
    dueAt = now() + delay;
    timer = setTimeout(() => {
      left -= delay;
      if (left > 0 && handle.renew(call, now())) return arm();
      lapsed = true;
      release();
    }, delay);
    (timer as { unref?(): void }).unref?.();
  };
  arm();
  return {
    get leftMs() {
      return endsAt === Number.POSITIVE_INFINITY ? undefined : Math.max(endsAt - now(), 1);
    },
    connection,
    get lapsed() {
      return lapsed;
    },
    get vanished() {
      return timer !== undefined && now() > dueAt + LATENESS_MAX_MS;
    },
    release,
  };
}
