// Metrics: their text, and what an application counts itself. Names, bounds and values are checked by the core; see src/metrics/business.rs.

import { MonitorRestartedError } from "./restarted.ts";

/** How {@link Monitor.metricsText} writes. */
export interface MetricsTextOptions {
  /** Prometheus' text format 0.0.4, or OpenMetrics 1.0. */
  format?: "prometheus" | "openmetrics";
  /** Which names: `canonical`, `prisma`, `platform`, `familyos`, `source` (the last three), or several with commas; all by default. */
  names?: string;
}

/** What a metric of the application's own is. */
export interface MetricOptions {
  /** What it says, in one sentence. */
  help?: string;
  /** The names of its labels, at most five. Of each, a hundred values are kept; what comes after is `other`. */
  labels?: readonly string[];
}

/** The same of a histogram. */
export interface HistogramOptions extends MetricOptions {
  /** The bounds that are shown lie between these, at most nine decades apart: 0.001 to 50 by default. */
  from?: number;
  to?: number;
}

/** Values of labels by their names; what is missing is empty. */
export type LabelValues = Readonly<Record<string, string | number | boolean>>;

/** Only grows. */
export interface Counter {
  /** Adds `value`, 1 by default. What is negative or no number is dropped, and counted as dropped. */
  add(value?: number, labels?: LabelValues): void;
}

/** Goes up and down. Of several isolates the sum is shown. */
export interface Gauge {
  set(value: number, labels?: LabelValues): void;
}

/** How values are spread. */
export interface Histogram {
  /** Takes in a value from 0 to 1e12. Others are dropped, and counted as dropped. */
  observe(value: number, labels?: LabelValues): void;
}

type Kind = "counter" | "gauge" | "histogram";

/** What is told of them, and of each value: JSON of src/metrics/business.rs. */
export interface MetricsCore {
  declareMetric(text: string): string;
  measure(text: string): void;
}

/** What an application counts itself: at most 50 names. */
export class BusinessMetrics {
  readonly #core: () => MetricsCore;

  constructor(core: () => MetricsCore) {
    this.#core = core;
  }

  /** @throws Error that says what is wrong with the name, the labels, or that there are 50 already. */
  counter(name: string, options: MetricOptions = {}): Counter {
    const measure = this.#declared("counter", name, options, undefined);
    return { add: (value = 1, labels) => measure(value, labels) };
  }

  /** @throws Error as {@link BusinessMetrics.counter} does. */
  gauge(name: string, options: MetricOptions = {}): Gauge {
    return { set: this.#declared("gauge", name, options, undefined) };
  }

  /** @throws Error as {@link BusinessMetrics.counter} does, and for bounds that cannot be used. */
  histogram(name: string, options: HistogramOptions = {}): Histogram {
    const { from = 0.001, to = 50 } = options;
    // Ten buckets to a decade, counted from 1. The core checks them.
    const bounds = [from, to].map((bound) => (bound > 0 ? Math.round(Math.log10(bound) * 10) : -1_000));
    return { observe: this.#declared("histogram", name, options, bounds) };
  }

  #declared(kind: Kind, name: string, { help = "", labels = [] }: MetricOptions, bounds: number[] | undefined) {
    const names = [...labels];
    const declared = JSON.stringify({ name, kind, help, labels: names, bounds });
    let core = this.#core();
    let shown = core.declareMetric(declared);
    return (value: number, values: LabelValues = {}) => {
      const own = (name: string) => (Object.hasOwn(values, name) ? String(values[name]) : "");
      const measured = { labels: names.map(own), value: Number(value) };
      try {
        const current = this.#core();
        // It was replaced after a trap, and has forgotten all names.
        if (current !== core) {
          shown = current.declareMetric(declared);
          core = current;
        }
        core.measure(JSON.stringify({ name: shown, ...measured }));
      } catch (error) {
        // Whoever counts is not at fault: this value is lost.
        if (!(error instanceof MonitorRestartedError)) throw error;
      }
    };
  }
}
