// The environment variables that say what flags are.

/** Those of `env` that begin with `FEATURE_` or `ROLLOUT_`. */
export function flagVariables(env: Readonly<Record<string, unknown>>): Record<string, string> {
  const isFlag = ([name, value]: [string, unknown]) => /^(?:FEATURE|ROLLOUT)_/.test(name) && typeof value === "string";
  return Object.fromEntries(Object.entries(env).filter(isFlag)) as Record<string, string>;
}

/** What Seawall's layers are where no document has their flags, by those flags' names. */
export interface LayerSettings {
  /** On for everybody; `false` leaves it to the share, and turns off what is on by default. */
  readonly features?: Readonly<Record<string, boolean>>;
  /** For how many it is on, in whole percent. */
  readonly rollouts?: Readonly<Record<string, number>>;
}

const ROLLOUTS = ["ENABLE_CONNECTION_POOL", "ENABLE_STATE_MACHINE", "ENABLE_CIRCUIT_BREAKER"];
const FEATURES = [...ROLLOUTS, "ENABLE_ENTERPRISE_MONITORING", "ENABLE_DETAILED_LOGGING"];

/**
 * The variables that say the same.
 *
 * @throws TypeError that names the setting that cannot be used.
 */
export function layerVariables({ features, rollouts }: LayerSettings): Record<string, string> {
  const isShare = (value: unknown) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 100;
  return {
    ...variablesOf("features", features, FEATURES, (value) => typeof value === "boolean", "true or false"),
    ...variablesOf("rollouts", rollouts, ROLLOUTS, isShare, "a whole number from 0 to 100, in percent"),
  };
}

function variablesOf(
  group: "features" | "rollouts",
  settings: Readonly<Record<string, unknown>> = {},
  names: readonly string[],
  fits: (value: unknown) => boolean,
  expected: string,
): Record<string, string> {
  const problem = (name: string, what: string) => new TypeError(`invalid configuration: ${group}${name} ${what}`);
  if (typeof settings !== "object" || settings === null) throw problem("", "must be an object");
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(settings)) {
    if (value === undefined) continue;
    if (!names.includes(name)) {
      throw problem(
        `.${name.slice(0, 100)}`,
        `is no setting: it has ${names.join(", ")}. Other flags are in documents`,
      );
    }
    if (!fits(value)) throw problem(`.${name}`, `must be ${expected}`);
    found[`${group === "features" ? "FEATURE" : "ROLLOUT"}_${name}`] = String(value);
  }
  return found;
}
