// Orders as flags follow them without a monitor: which text is one, and whether it is newer, is the core's to say.

/** What reads orders, the tools among others: see src/flag_bindings/orders.rs. */
export interface OrderReader {
  orderIn(name: string, text: string | null, head: string | null, held: number): string;
  orderMarks(head: string): string;
}

/** The orders that flags are made of. */
export const NAMES = ["flags", "kill"] as const;
export type FlagOrder = (typeof NAMES)[number];

/** The versions that are held; 0 before the first. */
export type Held = Readonly<Record<FlagOrder, number>>;

/** An order that is newer than what is held. */
export interface NewerOrder {
  readonly version: number;
  readonly by: string;
  readonly reason: string;
  readonly value: Record<string, unknown>;
  /** Of flags: the snapshot that their document was compiled to when it was published, in base64. */
  readonly compiled?: string | null;
}

/** What came of a look. */
export interface Found {
  readonly newer: Partial<Record<FlagOrder, NewerOrder>>;
  /** What was found that cannot be used. */
  readonly problem?: string;
  /** Whether what is held, with what is newer, is all that there is. */
  readonly isCurrent: boolean;
  /** Whether there is more, which a look will find. */
  readonly hasMore?: boolean;
}

/** What is held is what there is. */
export const CURRENT: Found = { newer: {}, isCurrent: true };

/** The key of the head of the audit log, which names the orders; as src/audit has it. */
export const HEAD = "audit/head";
/** The key of an order; as src/orders has it. */
export const keyOf = (name: FlagOrder): string => `orders/${name}`;

/** Texts that are longer are no orders: as src/orders has it, and too long to be looked at. */
const TEXT_MAX = 1_500_000;

type Judged =
  | ({ found: "newer" } & NewerOrder)
  | { found: "same" | "older" | "ahead" }
  | { found: "wrong"; problem: string };

/** The versions that a head names; undefined for a text that is no head. */
export function marksOf(reader: OrderReader, head: string): Partial<Record<FlagOrder, number>> | undefined {
  try {
    return head.length > TEXT_MAX
      ? undefined
      : (JSON.parse(reader.orderMarks(head)) as Partial<Record<FlagOrder, number>>);
  } catch {
    return undefined;
  }
}

/** Judges texts by a head, or by themselves where there is none. A text that is ahead of its head has no word here yet. */
export function judged(
  reader: OrderReader,
  texts: Partial<Record<FlagOrder, string | null>>,
  head: string | null,
  held: Held,
): Found & { readonly isAhead: boolean } {
  const newer: Partial<Record<FlagOrder, NewerOrder>> = {};
  let problem: string | undefined;
  let isCurrent = true;
  let isAhead = false;
  for (const name of NAMES) {
    const text = texts[name];
    if (text === undefined) continue;
    const one = judgedOne(reader, name, text, head, held[name]);
    if (one.found === "newer") newer[name] = one;
    else if (one.found === "wrong") problem ??= `${name}: ${one.problem}`;
    isAhead ||= one.found === "ahead";
    isCurrent &&= one.found === "newer" || one.found === "same";
  }
  return { newer, ...(problem !== undefined && { problem }), isCurrent, isAhead };
}

function judgedOne(
  reader: OrderReader,
  name: FlagOrder,
  text: string | null,
  head: string | null,
  held: number,
): Judged {
  if (text !== null && text.length > TEXT_MAX) return { found: "wrong", problem: "an order is damaged" };
  try {
    return JSON.parse(reader.orderIn(name, text, head, held)) as Judged;
  } catch {
    return { found: "wrong", problem: "an order could not be read" };
  }
}
