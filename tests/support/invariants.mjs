// What must hold after every hostile input, whatever it was.
import { promtool } from "./prometheus.mjs";

/**
 * @typedef {{ status: number, headers: Record<string, string>, body: string }} Answered
 * @typedef {{ method?: string, path: string, headers?: Record<string, string>, body?: string }} Asked
 * @typedef {(asked: Asked) => Promise<Answered>} Ask
 *
 * @typedef {{
 *   secrets: readonly string[],
 *   state?: () => Promise<string>,
 *   metrics?: string,
 * }} Watch `secrets` may be in no answer; `state` is what is stored, as text; `metrics` is where metrics are served, if they are.
 */

/** Words of a panic, a stack or a trap. */
const INNARDS = /panicked|unwrap\(\)|RuntimeError|wasm-function|unreachable executed|\n\s+at |\.rs:\d+|\.m?[jt]s:\d+/;
/** A value of a series as the text format has it. */
const NUMBER = /^(?:[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$/i;
/** More of what was sent than this must not come back, in characters. */
const QUOTED_MAX = 64;

/** What is counted by the routes of the table, and by the few reasons to let nobody in: no input makes more of either. */
const BOUNDED =
  /^\w+_admin_(?:requests_total\{route="(?:\/[a-z.{}/]*)?",status="\dxx"\}|auth_failures_total\{reason="[a-z_]+"\})$/;
/** Series that are told of when there are more than before. */
const MORE_SHOWN = 3;

/** Holds a host to the invariants. */
export class Invariants {
  #ask;
  #watch;
  #state = "";
  /** @type {Set<string>} */
  #series = new Set();
  /** The metrics without their values, as promtool took them last: what stays the same need not be shown to it again. */
  #taken = "";

  /** @param {Ask} ask @param {Watch} watch */
  constructor(ask, watch) {
    this.#ask = ask;
    this.#watch = watch;
  }

  /** Notes how things are before the first hostile input. */
  async begin() {
    this.#state = (await this.#watch.state?.()) ?? "";
    this.#series = new Set(await this.#metrics());
    return this;
  }

  /**
   * What one hostile input has broken: a list of sentences, empty if nothing is.
   *
   * @param {Asked} asked What was sent.
   * @param {Answered} answer What came back.
   * @param {{ mayFail?: boolean, mayChange?: boolean }} [allowed] `mayFail`: an answer of 5xx is right; `mayChange`: so
   *   is a change of what is stored.
   */
  async broken(asked, answer, { mayFail = false, mayChange = false } = {}) {
    /** @type {string[]} */
    const broken = [];
    const { status, headers, body } = answer;
    if (status >= 500 && !mayFail) broken.push(`it answered ${status}`);
    if (status >= 400 && body !== "") {
      if (!/^application\/(?:problem|health)\+json|^application\/json/.test(headers["content-type"] ?? "")) {
        broken.push(`an error of type ${headers["content-type"]}`);
      }
      if (status < 500 && typeof codeOf(body) !== "string")
        broken.push(`an error without a code: ${body.slice(0, 200)}`);
    }
    if (INNARDS.test(body)) broken.push(`innards: ${body.slice(0, 400)}`);
    for (const secret of this.#watch.secrets) if (body.includes(secret)) broken.push("a secret");
    for (const text of [asked.path, asked.body ?? "", ...Object.values(asked.headers ?? {})]) {
      if (text.length > QUOTED_MAX && body.includes(text.slice(0, QUOTED_MAX + 1)))
        broken.push("what was sent, at length");
    }
    const live = await this.#ask({ path: "/api/health/live" });
    if (live.status !== 200 || JSON.parse(live.body).alive !== true) broken.push("it does not live any more");
    const state = (await this.#watch.state?.()) ?? "";
    if (state !== this.#state && !mayChange) broken.push("what is stored has changed");
    this.#state = state;
    const series = await this.#metrics();
    const more = series.filter((name) => !this.#series.has(name) && !BOUNDED.test(name));
    if (more.length > 0) broken.push(`${more.length} series more: ${more.slice(0, MORE_SHOWN).join(" ")}`);
    return broken;
  }

  /** The series of the metrics, each by its name and labels; none where there are no metrics. */
  async #metrics() {
    const { metrics } = this.#watch;
    if (metrics === undefined) return [];
    const { status, body } = await this.#ask({ path: metrics });
    if (status !== 200) throw new Error(`${metrics} answers ${status}`);
    const lines = body.split("\n").filter((line) => line !== "");
    const samples = lines.filter((line) => !line.startsWith("#")).map((line) => /^(.*) ([^ ]*)$/.exec(line));
    const wrong = samples.findIndex((found) => !NUMBER.test(found?.[2] ?? ""));
    if (wrong !== -1) throw new Error(`no number: ${samples[wrong]?.[0]}`);
    const series = samples.map((found) => found?.[1] ?? "");
    const shape = [...lines.filter((line) => line.startsWith("#")), ...series].join("\n");
    if (shape === this.#taken) return series;
    const { code, output } = await promtool(["check", "metrics"], body);
    if (code !== 0) throw new Error(`promtool refuses the metrics:\n${output}`);
    this.#taken = shape;
    return series;
  }
}

/** @param {string} body */
function codeOf(body) {
  try {
    return JSON.parse(body).code;
  } catch {
    return undefined;
  }
}
