// A wasm instance of this isolate, which is replaced when it has trapped. Whoever made something in it makes that anew.

import { isTrap } from "./trap.ts";

/** One wasm module's instance. */
export class WasmInstance {
  /** How often it was replaced. What was made before the latest time is dead. */
  generation = 0;
  /** Whether there is none, or it could not be replaced when it should have been: where the stack has ended there is no room. */
  #isOverdue: boolean;
  readonly #reset: () => void;

  /** @param isLazy Whether the module has no instance before {@link ready} is called. */
  constructor(reset: () => void, isLazy = false) {
    this.#reset = reset;
    this.#isOverdue = isLazy;
  }

  /** Has an instance that works. */
  ready(): void {
    if (!this.#isOverdue) return;
    this.#reset();
    this.#isOverdue = false;
  }

  /** Looks at what a call has thrown into something that was made in generation `bornIn`. Returns whether that is dead. */
  failed(error: unknown, bornIn: number): boolean {
    if (bornIn !== this.generation) return true;
    if (!isTrap(error)) return false;
    this.generation += 1;
    this.#isOverdue = true;
    return true;
  }
}
