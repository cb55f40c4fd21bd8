// Reads Prometheus' text format 0.0.4, as our routes write it: families with their series.

/** One family. */
export interface Family {
  name: string;
  type: string;
  help: string;
  series: Series[];
}

/** One series: a number, or how values are spread. A number that JSON cannot hold is null. */
export interface Series {
  labels: Record<string, string>;
  value?: number | null;
  histogram?: Histogram;
}

/** How values are spread: `buckets` are counts of all values up to `le`, which is null for the last one. */
export interface Histogram {
  count: number;
  sum: number;
  buckets: { le: number | null; count: number }[];
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: -?\d+)?$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const PART = /_(bucket|sum|count)$/;

/** The families in the order of the text. Lines that are none of ours are skipped. */
export function familiesOf(text: string): Family[] {
  const families = new Map<string, Family>();
  const familyOf = (name: string): Family => {
    const found = families.get(name) ?? { name, type: "untyped", help: "", series: [] };
    families.set(name, found);
    return found;
  };
  for (const line of text.split("\n")) {
    const [mark, word, name = "", ...rest] = line.split(" ");
    if (mark === "#" && word === "HELP") familyOf(name).help = unescaped(rest.join(" "));
    else if (mark === "#" && word === "TYPE") familyOf(name).type = rest.join(" ");
    else if (mark !== "#") take(line, families, familyOf);
  }
  return [...families.values()];
}

function take(line: string, families: Map<string, Family>, familyOf: (name: string) => Family): void {
  const [, name = "", written = "", number = ""] = SAMPLE.exec(line) ?? [];
  if (name === "") return;
  const labels = Object.fromEntries([...written.matchAll(LABEL)].map(([, key, value = ""]) => [key, unescaped(value)]));
  const part = PART.exec(name)?.[1];
  const ofHistogram = families.get(name.replace(PART, ""));
  const value = numberOf(number);
  if (part === undefined || ofHistogram?.type !== "histogram") {
    familyOf(name).series.push({ labels, value: Number.isFinite(value) ? value : null });
    return;
  }
  const { le = "", ...own } = labels;
  const histogram = histogramOf(ofHistogram, own);
  if (part === "bucket") histogram.buckets.push({ le: le === "+Inf" ? null : Number(le), count: value });
  else histogram[part as "sum" | "count"] = value;
}

function histogramOf({ series }: Family, labels: Record<string, string>): Histogram {
  const key = JSON.stringify(labels);
  const found = series.find((it) => JSON.stringify(it.labels) === key)?.histogram;
  if (found !== undefined) return found;
  const histogram: Histogram = { count: 0, sum: 0, buckets: [] };
  series.push({ labels, histogram });
  return histogram;
}

function numberOf(text: string): number {
  return text === "+Inf" ? Number.POSITIVE_INFINITY : text === "-Inf" ? Number.NEGATIVE_INFINITY : Number(text);
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, sign: string) => (sign === "n" ? "\n" : sign));
}

/** The bound below which the share `ratio` of the values lies; of values beyond the last bound that bound. */
export function quantile({ count, buckets }: Histogram, ratio: number): number {
  const bounds = buckets.filter((bucket): bucket is { le: number; count: number } => bucket.le !== null);
  return (bounds.find((bucket) => bucket.count >= count * ratio) ?? bounds.at(-1))?.le ?? 0;
}
