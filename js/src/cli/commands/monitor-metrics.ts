// `monitor:metrics [category]`: what was measured, by what it is about.

import type { Api } from "../api.ts";
import { CliError, EXIT, type ExitCode } from "../exit.ts";
import { CATEGORIES, CATEGORY_OF } from "../metric-categories.ts";
import { didYouMean } from "../nearest.ts";
import { type Family, familiesOf, quantile, type Series } from "../prometheus-text.ts";
import { table } from "../table.ts";
import type { Terminal } from "../terminal.ts";

type Category = (typeof CATEGORIES)[number];

/** @throws CliError for a category that there is not, before anybody is asked. */
export async function monitorMetrics(api: () => Api, terminal: Terminal, asked?: string): Promise<ExitCode> {
  const wanted = asked === undefined ? CATEGORIES : [categoryOf(asked)];
  const families = familiesOf(await api().text("/health/metrics?names=canonical", "text/plain"));
  const isFleet = families.some(
    ({ name, series }) => name === SCOPE && series.some(({ labels, value }) => labels.scope === "fleet" && value === 1),
  );
  const byCategory = wanted.map((category): [Category, Family[]] => [
    category,
    families.filter(({ name }) => (CATEGORY_OF[name] ?? "business") === category),
  ]);
  if (terminal.isJson) {
    terminal.json({
      scope: isFleet ? "fleet" : "isolate",
      timestamp: new Date().toISOString(),
      categories: Object.fromEntries(byCategory),
    });
    return EXIT.ok;
  }
  for (const [category, families] of byCategory) {
    const rows = families.flatMap((family) =>
      family.series.map((series) => [family.name, labelsOf(series), shownOf(series)]),
    );
    terminal.say(terminal.colors.bold(category));
    terminal.say(rows.length === 0 ? "nothing so far\n" : `${table([["METRIC", "LABELS", "VALUE"], ...rows])}\n`);
  }
  return EXIT.ok;
}

const SCOPE = "seawall_metrics_scope";

function categoryOf(asked: string): Category {
  const found = CATEGORIES.find((category) => category === asked);
  if (found !== undefined) return found;
  const message = `There is no category ${asked}: choose ${CATEGORIES.join(", ")}.${didYouMean(asked, CATEGORIES)}`;
  throw new CliError(EXIT.usage, "CATEGORY_UNKNOWN", message);
}

function labelsOf({ labels }: Series): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}

/** A number; of a histogram how many, their mean, and between which times 95 of 100 lie. */
function shownOf({ value, histogram }: Series): string | number {
  if (histogram === undefined) return value ?? "";
  const { count, sum } = histogram;
  if (count === 0) return "0 times";
  return `${count} times, ${round(sum / count)} on average, 95 % below ${round(quantile(histogram, 0.95))}`;
}

const round = (value: number) => Number(value.toPrecision(3));
