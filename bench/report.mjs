// Rows to text: a table for people, JSON for programs.
import { GOALS, isMet } from "./goals.mjs";

/**
 * One comparison. Numbers are medians over the rounds, in `unit`.
 *
 * @typedef {object} Row
 * @property {string} id
 * @property {string} title
 * @property {"op/s" | "ns CPU" | "us CPU" | "ns" | "us" | "bytes" | "ms" | "%" | "probes"} unit
 * @property {"more" | "less"} better
 * @property {number | null} ours
 * @property {number | null} peer
 * @property {string | null} peerName
 * @property {{ ours: number, peer: number } | null} cpu Microseconds of CPU for each operation.
 */

/** @param {Row} row */
function ratioOf({ ours, peer }) {
  return ours === null || peer === null ? null : ours / peer;
}

/** What `--json` prints for a row; `ratio` is ours / peer. @param {Row} row */
export function jsonOf(row) {
  const { id, unit, better, ours, peer, peerName, cpu } = row;
  const goal = GOALS[id];
  return {
    id,
    ours: rounded(ours),
    peer: rounded(peer),
    ratio: rounded(ratioOf(row)),
    goal: goal?.value ?? null,
    met: isMet(goal, ours, peer),
    unit,
    better,
    goalOn: goal?.on ?? null,
    peerName,
    cpuMicros: cpu && { ours: rounded(cpu.ours), peer: rounded(cpu.peer), ratio: rounded(cpu.ours / cpu.peer) },
  };
}

/** Four digits that mean something. @param {number | null} value */
function rounded(value) {
  return value === null ? null : Number(value.toPrecision(4));
}

const HEAD = ["", "against", "ours", "peer", "ratio", "CPU ours", "CPU peer", "ratio", "goal", ""];

/** @param {Row[]} rows */
export function tableOf(rows) {
  const lines = [HEAD, ...rows.map(cellsOf)];
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  /** Names to the left, numbers to the right. @param {string} cell @param {number} column */
  const pad = (cell, column) =>
    column < 2 || column === 9 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  const groups = ["node.", "workerd.", "guard.", "flags.", ""];
  /** @param {Row | undefined} row */
  const groupOf = (row) => groups.find((prefix) => row?.id.startsWith(prefix));
  return lines
    .flatMap((cells, index) => {
      const text = cells.map(pad).join("  ").trimEnd();
      const starts = index > 0 && groupOf(rows[index - 1]) !== groupOf(rows[index - 2]);
      return starts || index === 1 ? ["", text] : [text];
    })
    .join("\n");
}

/** @param {Row} row */
function cellsOf(row) {
  const { id, title, unit, ours, peer, peerName, cpu } = row;
  const goal = GOALS[id];
  const met = isMet(goal, ours, peer);
  const runtime = id.startsWith("node.") ? "Node: " : id.startsWith("workerd.") ? "workerd: " : "";
  return [
    runtime + title,
    peerName ?? "",
    amount(ours, unit),
    peer === null ? "" : amount(peer, unit),
    times(ratioOf(row)),
    cpu === null ? "" : amount(cpu.ours, "us"),
    cpu === null ? "" : amount(cpu.peer, "us"),
    cpu === null ? "" : times(cpu.ours / cpu.peer),
    goal === undefined ? "" : goalText(goal, unit),
    met === null ? "" : met ? "met" : "MISSED",
  ];
}

/** @param {import("./goals.mjs").Goal} goal @param {string} unit */
function goalText({ on, bound, value }, unit) {
  const sign = bound === "least" ? ">=" : "<=";
  if (on === "ratio") return `${sign} ${value} x`;
  return `${sign} ${on === "difference" ? "+" : ""}${value.toLocaleString("en")} ${unit}`;
}

/** @param {number | null} value @param {string} unit */
function amount(value, unit) {
  if (value === null) return "-";
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  const text = value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${text} ${unit}`;
}

/** @param {number | null} ratio */
function times(ratio) {
  return ratio === null ? "" : `${ratio.toFixed(2)} x`;
}
