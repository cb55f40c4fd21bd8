import { createGuard } from "seawall";

const work = async () => 1;
const DAY_MS = 86_400_000;

/** Opened by failures, as in life, not by hand. */
async function opened() {
  const guard = createGuard({ circuitBreaker: { recoveryTimeout: DAY_MS } }, "bench");
  for (let i = 0; i < 10; i += 1) await guard.call(() => Promise.reject(new Error("down"))).catch(() => {});
  return guard;
}

export const variants = {
  call: () => {
    const guard = createGuard({ timeouts: { query: 0 } }, "bench");
    return () => guard.call(work);
  },
  deadline: () => {
    const guard = createGuard({}, "bench");
    return () => guard.call(work);
  },
  refusal: async () => {
    const guard = await opened();
    return () => guard.call(work);
  },
  "refusal-value": async () => {
    const guard = await opened();
    return () => guard.tryCall(work);
  },
};
