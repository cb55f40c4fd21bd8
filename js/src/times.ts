// How long things took, between the core that counts it and the monitor that knows what the numbers are.

/** How long things took, in buckets that only the monitor knows to read. */
export interface Times {
  sumsMs: number[];
  counts: number[];
}
