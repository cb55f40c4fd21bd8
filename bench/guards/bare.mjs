// The floor: no guard at all, and a timer of one's own.

const work = async () => 1;

export const variants = {
  call: () => () => work(),
  deadline: () => async () => {
    const timer = setTimeout(() => {}, 10_000);
    try {
      return await work();
    } finally {
      clearTimeout(timer);
    }
  },
};
