// A context of OpenFeature as attributes of ours: flat, and nothing but text, numbers and booleans.

/** What may be known of somebody, by the names that rules use. */
export type Attributes = Record<string, string | number | boolean>;

/** Deeper than this, and with more attributes, a context is refused: it is no description of somebody. */
const DEPTH_MAX = 8;
const ATTRIBUTES_MAX = 1_000;

/** A context that cannot be taken. */
export class ContextError extends Error {}

/**
 * Makes a context flat. A date is its ISO 8601 text. What is nested has its path as its name, `{ user: { plan: "pro" } }` is
 * `user.plan`; where a context has an attribute of just that name, the attribute holds. Lists, null and functions are left out: to a rule
 * they are missing.
 *
 * @throws ContextError for what is no object, is nested deeper than 8, or has more than 1,000 attributes.
 */
export function attributesOf(context: unknown): Attributes {
  if (!isPlain(context)) throw new ContextError("The context is no object.");
  const found: Attributes = Object.create(null);
  const counted = { count: 0 };
  // What stands at the top is written last, over a path of the same name.
  for (const [name, value] of Object.entries(context)) if (isPlain(value)) flatten(found, counted, name, value, 1);
  for (const [name, value] of Object.entries(context)) put(found, counted, name, value);
  return found;
}

function flatten(found: Attributes, counted: { count: number }, path: string, nested: object, depth: number): void {
  if (depth > DEPTH_MAX) throw new ContextError(`The context is nested deeper than ${DEPTH_MAX}.`);
  for (const [name, value] of Object.entries(nested)) {
    if (isPlain(value)) flatten(found, counted, `${path}.${name}`, value, depth + 1);
    else put(found, counted, `${path}.${name}`, value);
  }
}

function put(found: Attributes, counted: { count: number }, name: string, value: unknown): void {
  const text = value instanceof Date ? isoOf(value) : value;
  if (typeof text !== "string" && typeof text !== "number" && typeof text !== "boolean") return;
  counted.count += 1;
  if (counted.count > ATTRIBUTES_MAX) throw new ContextError(`The context has more than ${ATTRIBUTES_MAX} attributes.`);
  found[name] = text;
}

const isoOf = (date: Date): string | undefined => (Number.isFinite(date.getTime()) ? date.toISOString() : undefined);

function isPlain(value: unknown): value is object {
  return typeof value === "object" && value !== null && !(value instanceof Date) && !Array.isArray(value);
}

/** Whether a context that is flat says just this. Of one that is not it says no, as it is quicker to make it flat than to compare it. */
export function isSame(attributes: Attributes, context: unknown): boolean {
  if (!isPlain(context)) return false;
  let count = 0;
  for (const name of Object.keys(context)) {
    const value = (context as Record<string, unknown>)[name];
    // What is nested, or a date, is no attribute as it stands.
    if (value === undefined || attributes[name] !== value) return false;
    count += 1;
  }
  for (const _ in attributes) count -= 1;
  return count === 0;
}
