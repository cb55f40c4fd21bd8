// Random histories of a strong store, and whether one order of their operations explains them: each operation at one
// moment between its begin and its end, all changes of a swap at the same one.
import type { Change, StrongStore } from "../../js/src/store/strong.ts";

/** What somebody did, and what came of it. */
export type Operation = {
  begin: number;
  /** Infinity where the answer was lost: it was done at some moment, or never. */
  end: number;
} & ({ key: string; text: string | null } | { changes: Change[]; isDone: boolean | undefined });

const CLIENTS = 4;
const STEPS = 4;
const CHANGES_MAX = 3;

/** Numbers from 0 to 1, the same ones for the same seed. */
export function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Lets several clients read and swap these keys at once, and notes what they see. */
export async function randomHistory(ways: StrongStore[], keys: string[], random: () => number): Promise<Operation[]> {
  const history: Operation[] = [];
  let moment = 0;
  let texts = 0;
  const tick = () => {
    moment += 1;
    return moment;
  };
  const client = async (store: StrongStore) => {
    const known = new Map<string, string | null>();
    const read = async (key: string) => {
      const begin = tick();
      const text = await store.read(key);
      history.push({ begin, end: tick(), key, text });
      known.set(key, text);
    };
    const swap = async (changes: Change[]) => {
      const begin = tick();
      // A reason to be unknown: a client of a database may refuse, or lose, what many ask for at once.
      const isDone = await store.swap(changes).catch(() => undefined);
      history.push({ begin, end: isDone === undefined ? Number.POSITIVE_INFINITY : tick(), changes, isDone });
      for (const { key, expected, text } of changes) known.set(key, isDone === true ? text : expected);
    };
    for (let step = 0; step < STEPS; step += 1) {
      const chosen = [...keys].sort(() => random() - 0.5).slice(0, 1 + Math.floor(random() * CHANGES_MAX));
      for (const key of chosen) if (!known.has(key) || random() < 0.6) await read(key);
      const change = (key: string): Change => {
        texts += 1;
        return { key, expected: known.get(key) ?? null, text: random() < 0.3 ? null : `text ${texts}` };
      };
      await swap(chosen.map(change));
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, index) => client(ways[index % ways.length] as StrongStore)));
  for (const key of keys) {
    const begin = tick();
    history.push({ begin, end: tick(), key, text: (await ways[0]?.read(key)) ?? null });
  }
  return history;
}

/** Whether there is an order in which every operation finds what it found. */
export function isSerial(history: Operation[]): boolean {
  const visited = new Set<string>();
  const goesOn = (left: Operation[], texts: Map<string, string>): boolean => {
    if (left.every(({ end }) => end === Number.POSITIVE_INFINITY)) return true;
    const place = JSON.stringify([left.map((operation) => history.indexOf(operation)), [...texts].sort()]);
    if (visited.has(place)) return false;
    visited.add(place);
    const firstEnd = Math.min(...left.map(({ end }) => end));
    return left.some((operation) => {
      if (operation.begin > firstEnd) return false;
      const after = followed(operation, texts);
      return (
        after !== undefined &&
        goesOn(
          left.filter((other) => other !== operation),
          after,
        )
      );
    });
  };
  return goesOn(history, new Map());
}

/** What is there after an operation; undefined if it could not have found what it found. */
function followed(operation: Operation, texts: Map<string, string>): Map<string, string> | undefined {
  if ("key" in operation) return (texts.get(operation.key) ?? null) === operation.text ? texts : undefined;
  const { changes, isDone } = operation;
  const holds = changes.every(({ key, expected }) => (texts.get(key) ?? null) === expected);
  if (isDone !== undefined && isDone !== holds) return undefined;
  if (!holds) return texts;
  const after = new Map(texts);
  for (const { key, text } of changes) {
    if (text === null) after.delete(key);
    else after.set(key, text);
  }
  return after;
}
