// The databases of one cluster by name, and as sets of bits for the core.

import type { Endpoint } from "./endpoint.ts";
import { DATABASES_MAX, type RouteOptions, type Tags } from "./options.ts";

/** All endpoints. */
const EVERYONE = 0xffff_ffff;

/** The databases of one cluster. */
export class Members {
  readonly #byName = new Map<string, Endpoint>();
  /** By the core's numbers. One that left stays until its number is given anew: operations may still be out there. */
  readonly #byIndex: (Endpoint | undefined)[] = [];
  readonly #near = new Map<string, number>();

  /** In the order in which they came. */
  list(): Endpoint[] {
    return [...this.#byName.values()];
  }

  at(index: number): Endpoint {
    return this.#byIndex[index] as Endpoint;
  }

  get(name: string): Endpoint | undefined {
    return this.#byName.get(name);
  }

  /** @throws RangeError when the name is taken, or at the 33rd database. */
  checkNew(name: string): void {
    if (this.#byName.has(name)) throw new RangeError(`There is a database named ${JSON.stringify(name)} already`);
    if (this.#byName.size >= DATABASES_MAX) throw new RangeError(`A client has at most ${DATABASES_MAX} databases`);
  }

  add(endpoint: Endpoint, index: number): void {
    endpoint.index = index;
    this.#byName.set(endpoint.name, endpoint);
    this.#byIndex[index] = endpoint;
    this.#near.clear();
  }

  remove(endpoint: Endpoint): void {
    this.#byName.delete(endpoint.name);
    this.#near.clear();
  }

  /**
   * The databases that an operation may go to.
   *
   * @throws RangeError when it names one that is not there.
   */
  allowed(route: RouteOptions | undefined): number {
    if (route === undefined || (route.endpoint === undefined && route.tags === undefined)) return EVERYONE;
    const { endpoint: name, tags } = route;
    if (name !== undefined && !this.#byName.has(name)) {
      const known = [...this.#byName.keys()].map((other) => JSON.stringify(other)).join(", ");
      throw new RangeError(`There is no database named ${JSON.stringify(name)}. There are: ${known}`);
    }
    return this.#set((endpoint) => (name === undefined || endpoint.name === name) && hasTags(endpoint, tags));
  }

  /** The databases of a region. */
  near(region: string | undefined): number {
    if (region === undefined || region === "") return 0;
    let set = this.#near.get(region);
    if (set === undefined) {
      set = this.#set((endpoint) => endpoint.region === region);
      // Regions come from callers: what is remembered of them is bounded.
      if (this.#near.size >= DATABASES_MAX) this.#near.clear();
      this.#near.set(region, set);
    }
    return set;
  }

  #set(isIn: (endpoint: Endpoint) => boolean): number {
    let set = 0;
    for (const endpoint of this.#byName.values()) if (isIn(endpoint)) set |= 1 << endpoint.index;
    return set >>> 0;
  }
}

function hasTags(endpoint: Endpoint, tags: Tags | undefined): boolean {
  return tags === undefined || Object.entries(tags).every(([name, value]) => endpoint.tags[name] === value);
}
