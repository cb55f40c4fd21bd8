// Which environment this is, from what hosts set. Twin of src/config/environment.rs; tests/conformance/environments.json
// holds both to the same answers.

/** Finds a variable; undefined where it is not set. */
export type ReadVariable = (name: string) => string | undefined;

/**
 * The environment's name, or undefined when no variable tells.
 *
 * `ENVIRONMENT` wins, whatever it says; then tests (`NODE_ENV=test`, `VITEST`); then Vercel's `VERCEL_ENV`; then
 * Netlify's `CONTEXT`, where every deployment that is not production is a preview; then `NODE_ENV`.
 */
export function environmentOf(variable: ReadVariable): string | undefined {
  const read = (name: string) => variable(name)?.trim().toLowerCase() || undefined;
  const named = read("ENVIRONMENT");
  if (named !== undefined) return named === "staging" ? "preview" : named;
  const node = read("NODE_ENV");
  const vitest = read("VITEST");
  if (node === "test" || (vitest !== undefined && vitest !== "false" && vitest !== "0")) return "test";
  const host = read("VERCEL_ENV") ?? (read("NETLIFY") === undefined ? undefined : read("CONTEXT"));
  if (host !== undefined) {
    if (host === "production") return "production";
    return host === "development" || host === "dev" ? "development" : "preview";
  }
  if (node === "staging") return "preview";
  return node === "production" || node === "development" || node === "preview" ? node : undefined;
}
