// The environment variables that say what flags are.

/** Those of `env` that begin with `FEATURE_` or `ROLLOUT_`. */
export function flagVariables(env: Readonly<Record<string, unknown>>): Record<string, string> {
  const isFlag = ([name, value]: [string, unknown]) => /^(?:FEATURE|ROLLOUT)_/.test(name) && typeof value === "string";
  return Object.fromEntries(Object.entries(env).filter(isFlag)) as Record<string, string>;
}
