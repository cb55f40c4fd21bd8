import {
  ConsecutiveBreaker,
  circuitBreaker,
  handleAll,
  SamplingBreaker,
  TimeoutStrategy,
  timeout,
  wrap,
} from "cockatiel";

const work = async () => 1;
const DAY_MS = 86_400_000;

const consecutive = () => circuitBreaker(handleAll, { halfOpenAfter: DAY_MS, breaker: new ConsecutiveBreaker(5) });

export const variants = {
  call: () => {
    const guard = consecutive();
    return () => guard.execute(work);
  },
  sampling: () => {
    const breaker = new SamplingBreaker({ threshold: 0.5, duration: 60_000 });
    const guard = circuitBreaker(handleAll, { halfOpenAfter: DAY_MS, breaker });
    return () => guard.execute(work);
  },
  deadline: () => {
    const guard = wrap(consecutive(), timeout(10_000, TimeoutStrategy.Aggressive));
    return () => guard.execute(work);
  },
  refusal: async () => {
    const guard = consecutive();
    for (let i = 0; i < 5; i += 1) await guard.execute(() => Promise.reject(new Error("down"))).catch(() => {});
    return () => guard.execute(work);
  },
};
