// How large what we ship is, on the terminal and in docs/size.md.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { ROOT } from "./toolchain.mjs";

const PAGE = join(ROOT, "docs/size.md");

/** Sizes move a little with the compiler's version; a change below this share is not written down. */
const NOISE = 0.03;

const FILES = [
  ["js/dist/core.wasm", "the core, in the npm package"],
  ["js/dist/workerd.js", "entry for Workers, without the core"],
  ["js/dist/edge-light.js", "entry for Vercel's edge runtime, without the core"],
  ["js/dist/index.js", "entry for everything else, with the core inside"],
  ["js/dist/monitor.wasm", "the monitor, in the npm package"],
  ["js/dist/monitor/workerd.js", "its entry for Workers, without the wasm"],
  ["js/dist/flags.wasm", "flags: what evaluates snapshots"],
  ["js/dist/flag-tools.wasm", "flags: what reads documents, when it is needed"],
  ["js/dist/flags/workerd.js", "their entry for Workers, without the wasm"],
  ["js/dist/flags/snapshot-workerd.js", "their entry for snapshots alone, without the wasm"],
  ["js/dist/openfeature/index.js", "OpenFeature's provider, without the flags"],
  ["build/index_bg.wasm", "the deployable Worker"],
  ["build/index.js", "its JavaScript"],
];

/** @param {number} bytes */
function kilobytes(bytes) {
  return `${(bytes / 1_000).toFixed(1)} KB`;
}

/** Prints the sizes and brings docs/size.md up to date where one has really moved. */
export function reportSizes() {
  const old = existsSync(PAGE) ? readFileSync(PAGE, "utf8") : "";
  const rows = [];
  for (const [path, what] of FILES) {
    const file = join(ROOT, /** @type {string} */ (path));
    if (!existsSync(file)) continue;
    const bytes = readFileSync(file);
    const sizes = [bytes.length, gzipSync(bytes, { level: 9 }).length];
    console.log(`  ${path?.padEnd(24)} ${sizes.map((size) => kilobytes(size).padStart(10)).join("")} gzip`);
    rows.push(steady(old, `| \`${path}\` | ${what} |`, sizes));
  }
  const page = `# Sizes\n\nWritten by \`npm run build\`; a change of less than ${NOISE * 100} % is not written down.\n\n| file | what | raw | gzip |\n|---|---|---|---|\n${rows.join("\n")}\n`;
  if (page !== old) writeFileSync(PAGE, page);
}

/** The old row if its sizes still hold, else a new one. @param {string} page @param {string} start @param {number[]} sizes */
function steady(page, start, sizes) {
  const row = page.split("\n").find((line) => line.startsWith(start));
  const written = [...(row?.slice(start.length).matchAll(/([\d.]+) KB/g) ?? [])].map(
    (match) => Number(match[1]) * 1_000,
  );
  const holds = written.length === 2 && sizes.every((size, at) => Math.abs(size - (written[at] ?? 0)) <= size * NOISE);
  return row !== undefined && holds ? row : `${start} ${sizes.map(kilobytes).join(" | ")} |`;
}
