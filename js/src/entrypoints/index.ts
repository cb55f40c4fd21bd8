// The entry that needs nothing of its surroundings: the core's bytes are text inside of it.
export * from "../index.ts";
