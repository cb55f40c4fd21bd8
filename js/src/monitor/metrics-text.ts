// The metrics as text, from within the process: the route, asked without a network.
import type { Asked, Responded } from "./exchange.ts";
import type { MetricsTextOptions } from "./metrics.ts";

/** The request for the text. */
export function metricsRequest(path: string, { format = "prometheus", names = "" }: MetricsTextOptions): Asked {
  const accept = format === "openmetrics" ? "application/openmetrics-text" : "text/plain";
  const query = names === "" ? "" : `names=${names}`;
  return { method: "GET", path, query, headers: [["accept", accept]], body: "" };
}

/** The text of the answer. */
export function textOf({ status, body }: Responded): string {
  if (status === 200) return body;
  const { detail } = JSON.parse(body) as { detail: string };
  throw status === 400 ? new RangeError(detail) : new Error(detail);
}
