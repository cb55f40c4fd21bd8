// What is left of a tenant that was put aside: how far its rate limit is used up, until when its circuit is open, and what
// an operator ordered. Nothing is left of one that has none of these.

import type { TierName } from "./tier.ts";

/** What is left of a core that is put aside. Times are in milliseconds since the epoch; 0 for none. */
export interface Left {
  /** Until when the rate limit remembers. */
  readonly rateDueMs: number;
  /** When the circuit may probe. */
  readonly openUntilMs: number;
  readonly forced: "OPEN" | "CLOSED" | undefined;
  readonly isDisabled: boolean;
  /** The tier, if it was changed while the core ran. */
  readonly tier: TierName | undefined;
}

/** A number when the rate limit is all that is left; else the parts in one text. */
type Packed = number | string;

/** What is left of tenants, by name: tens of bytes each, and never more of them than `max`. */
export class Residues {
  readonly #max: number;
  readonly #packed = new Map<string, Packed>();
  /** How often something was forgotten that still meant something. */
  dropped = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#packed.size;
  }

  /** Keeps what still means something at `nowMs`. */
  put(id: string, left: Left, nowMs: number): void {
    this.#packed.delete(id);
    const packed = packedOf(left, nowMs);
    if (packed === undefined || this.#max === 0) return;
    if (this.#packed.size >= this.#max) this.#makeRoom(nowMs);
    this.#packed.set(id, packed);
  }

  /** Takes out what was left; undefined if that was nothing. */
  take(id: string): Left | undefined {
    const packed = this.#packed.get(id);
    if (packed === undefined) return undefined;
    this.#packed.delete(id);
    return leftOf(packed);
  }

  forget(id: string): void {
    this.#packed.delete(id);
  }

  /** Forgets the oldest ones until one more fits: those first that mean nothing any more, at last what operators ordered. */
  #makeRoom(nowMs: number): void {
    let oldest: string | undefined;
    let looked = 0;
    for (const [id, packed] of this.#packed) {
      if (packedOf(leftOf(packed), nowMs) === undefined) {
        this.#packed.delete(id);
        return;
      }
      if (oldest === undefined && typeof packed === "number") oldest = id;
      looked += 1;
      if (looked >= LOOKS && oldest !== undefined) break;
    }
    for (const first of this.#packed.keys()) {
      this.#packed.delete(oldest ?? first);
      this.dropped += 1;
      return;
    }
  }
}

/** Names that are looked at for one that can go. */
const LOOKS = 8;
const FORCED = { "": undefined, O: "OPEN", C: "CLOSED" } as const;

function packedOf(left: Left, nowMs: number): Packed | undefined {
  const rate = left.rateDueMs > nowMs ? left.rateDueMs : 0;
  const open = left.openUntilMs > nowMs && left.openUntilMs < Number.POSITIVE_INFINITY ? left.openUntilMs : 0;
  const orders = (left.forced?.[0] ?? "") + (left.isDisabled ? "D" : "") + (left.tier ?? "");
  if (open === 0 && orders === "") return rate === 0 ? undefined : rate;
  return [rate, open, left.forced?.[0] ?? "", left.isDisabled ? 1 : 0, left.tier ?? ""].join(" ");
}

function leftOf(packed: Packed): Left {
  if (typeof packed === "number") {
    return { rateDueMs: packed, openUntilMs: 0, forced: undefined, isDisabled: false, tier: undefined };
  }
  const [rate, open, forced, disabled, tier] = packed.split(" ");
  return {
    rateDueMs: Number(rate),
    openUntilMs: Number(open),
    forced: FORCED[forced as keyof typeof FORCED],
    isDisabled: disabled === "1",
    tier: tier === "" ? undefined : (tier as TierName),
  };
}
