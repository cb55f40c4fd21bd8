// A read cache as Workers KV is one: it may refuse what is put, and it remembers that nothing was there.

/** Takes everything; refuses all writes; or goes on saying that nothing is where nothing was. */
export type Mood = "well" | "refuses" | "remembers nothing";

export class Cache {
  #mood: Mood = "well";
  readonly #texts = new Map<string, string>();
  readonly #missed = new Set<string>();

  become(mood: Mood): void {
    this.#mood = mood;
    this.#missed.clear();
  }

  get(key: string): string | null {
    const text = this.#texts.get(key) ?? null;
    if (text === null) this.#missed.add(key);
    return this.#mood === "remembers nothing" && this.#missed.has(key) ? null : text;
  }

  put(key: string, text: string): void {
    if (this.#mood === "refuses") throw new Error("KV PUT failed: 429 Too Many Requests");
    this.#texts.set(key, text);
  }
}
