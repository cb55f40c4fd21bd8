import CircuitBreaker from "opossum";

const work = async () => 1;
const DAY_MS = 86_400_000;

export const variants = {
  call: () => {
    const guard = new CircuitBreaker(work, { timeout: false });
    return () => guard.fire();
  },
  // Its default: a timeout of 10 s.
  deadline: () => {
    const guard = new CircuitBreaker(work);
    return () => guard.fire();
  },
  refusal: async () => {
    const guard = new CircuitBreaker(() => Promise.reject(new Error("down")), { resetTimeout: DAY_MS });
    await guard.fire().catch(() => {});
    return () => guard.fire();
  },
};
