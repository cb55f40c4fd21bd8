// The floor: no guard at all, and a timer of one's own.

const work = async () => 1;

const result = { rows: [{ one: 1 }] };
const read = async () => result;

export const variants = {
  hit: () => async () => (await read()).rows[0]?.one,
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
