export function zipf(keys: number, s: number, seed?: number): () => number;
export function numbers(seed: number): () => number;
