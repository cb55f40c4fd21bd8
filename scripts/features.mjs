// Finds the tests that prove each feature of docs/features.md. `npm run features [-- --json]`.
//
// A test proves a feature if its title begins with the feature's ID: `test("CB-06, RT-01 to RT-05: it opens …")` in
// TypeScript, the first line of the comment on a `#[test]` in Rust, `about` in a step story. See CONTRIBUTING.md.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { transformSync } from "esbuild";
import { ROOT } from "./toolchain.mjs";

const PAGE = "docs/features.md";
const FOLDERS = ["js/test", "tests", "src"];
const SKIPPED = ["node_modules", "target", "generated", "dist", "fixtures", "scenarios"];
const ID = /[A-Z]{2,4}-\d{2}/.source;
/** IDs, with commas, `and` or `to` between them, up to a colon. */
const TITLE = new RegExp(`^((?:${ID}(?:, | and | to )?)+): (.+)`, "s");

/** A string of any kind, in JavaScript without comments. */
const STRING = /(["'`])(?:\\[\s\S]|(?!\1)[^\\])*\1/g;

/**
 * @typedef {{ id: string, sentence: string }} Feature
 * @typedef {{ ids: string[], file: string, line: number, title: string }} Proof
 * @typedef {{ features: Feature[], unproven: Map<string, string>, problems: string[] }} Page
 */

/** The IDs that a title begins with, ranges spelt out; none if it does not begin so. @param {string} title */
export function idsOf(title) {
  const found = TITLE.exec(title.trim());
  if (found === null) return [];
  /** @type {string[]} */
  const ids = [];
  let isRange = false;
  for (const word of /** @type {string} */ (found[1]).split(/,? /)) {
    if (word === "to") {
      isRange = true;
    } else if (isRange) {
      const [group, last] = word.split("-");
      const first = Number(ids.at(-1)?.split("-")[1]);
      for (let number = first + 1; number <= Number(last); number += 1) {
        ids.push(`${group}-${String(number).padStart(2, "0")}`);
      }
      isRange = false;
    } else if (word !== "and") {
      ids.push(word);
    }
  }
  return ids;
}

/** What the page lists, and what is wrong with the page. @param {string} text @returns {Page} */
export function readPage(text) {
  /** @type {Feature[]} */
  const features = [];
  /** @type {Map<string, string>} */
  const unproven = new Map();
  const problems = [];
  let isUnproven = false;
  for (const line of text.split("\n")) {
    if (line.startsWith("## ")) isUnproven = line === "## Without a test";
    const row = new RegExp(`^\\| (${ID}) \\| (.+?) \\|$`).exec(line);
    if (row === null) continue;
    const [, id, sentence] = /** @type {string[]} */ (/** @type {unknown} */ (row));
    if (isUnproven) unproven.set(/** @type {string} */ (id), /** @type {string} */ (sentence));
    else if (features.some((feature) => feature.id === id)) problems.push(`${id} is listed twice`);
    else features.push({ id: /** @type {string} */ (id), sentence: /** @type {string} */ (sentence) });
  }
  for (const id of unproven.keys()) {
    if (!features.some((feature) => feature.id === id)) problems.push(`${id} is without a test, and not listed`);
  }
  return { features, unproven, problems };
}

/** Titles of tests in Rust: the first line of the comment right above `#[test]`. @param {string} text */
export function rustTitles(text) {
  /** @type {{ title: string, line: number }[]} */
  const titles = [];
  const lines = text.split("\n").map((line) => line.trim());
  for (const [at, line] of lines.entries()) {
    if (line !== "#[test]") continue;
    let top = at;
    while (top > 0 && (lines[top - 1]?.startsWith("///") || lines[top - 1]?.startsWith("#["))) top -= 1;
    let end = at + 1;
    while (lines[end]?.startsWith("#[")) end += 1;
    const isIgnored = lines.slice(top, end).some((attribute) => attribute.startsWith("#[ignore"));
    const first = lines[top];
    if (!isIgnored && first?.startsWith("/// ")) titles.push({ title: first.slice(4), line: top + 1 });
  }
  return titles;
}

/**
 * Titles of tests in TypeScript: the first argument of `test(…)`, `it(…)` or `test.each(…)(…)`. Comments are taken out
 * first, and neither `describe`, `skip` nor `todo` proves anything.
 *
 * @param {string} text
 */
export function typescriptTitles(text) {
  const { code } = transformSync(text, { loader: "ts", target: "esnext", legalComments: "none" });
  const lines = text.split("\n");
  /** @type {{ title: string, line: number }[]} */
  const titles = [];
  // Strings are emptied, so that no parenthesis in them counts.
  const bare = code.replaceAll(STRING, (string) => string[0] + " ".repeat(string.length - 2) + string[0]);
  for (const found of code.matchAll(STRING)) {
    const title = found[0].slice(1, -1);
    if (!TITLE.test(title) || !isTestTitle(bare.slice(0, found.index))) continue;
    titles.push({ title, line: 1 + lines.findIndex((line) => line.includes(title.slice(0, 40))) });
  }
  return titles;
}

/** Whether a string after this code is the title of a test. @param {string} before */
function isTestTitle(before) {
  let rest = before.trimEnd();
  if (!rest.endsWith("(")) return false;
  rest = rest.slice(0, -1).trimEnd();
  if (rest.endsWith(")")) rest = rest.slice(0, openingOf(rest)).trimEnd();
  return /(?:^|[^\w$.])(?:test|it)(?:\.(?:each|for|concurrent|sequential|only))*$/.test(rest);
}

/** Where the parenthesis opens that closes at the end. @param {string} code */
function openingOf(code) {
  let depth = 0;
  for (let at = code.length - 1; at >= 0; at -= 1) {
    if (code[at] === ")") depth += 1;
    if (code[at] === "(") depth -= 1;
    if (depth === 0) return at;
  }
  return 0;
}

/** @param {string} folder @returns {string[]} */
function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) return [path];
    return SKIPPED.includes(entry.name) ? [] : filesBelow(path);
  });
}

/** Every test that names a feature. @returns {Proof[]} */
function proofs() {
  /** @type {Proof[]} */
  const all = [];
  for (const path of FOLDERS.flatMap((folder) => filesBelow(join(ROOT, folder)))) {
    const isRust = path.endsWith(".rs");
    const isStory = /[/\\]steps[/\\][^/\\]+\.json$/.test(path);
    if (!isRust && !isStory && !/\.test\.m?ts$/.test(path)) continue;
    const text = readFileSync(path, "utf8");
    if (!new RegExp(ID).test(text)) continue;
    const titles = isStory
      ? [{ title: JSON.parse(text).about, line: 2 }]
      : isRust
        ? rustTitles(text)
        : typescriptTitles(text);
    const file = relative(ROOT, path).replaceAll("\\", "/");
    for (const { title, line } of titles) {
      const ids = idsOf(title);
      if (ids.length > 0) all.push({ ids, file, line, title });
    }
  }
  return all;
}

/** What is wrong: features without tests, tests of features that nobody lists. @param {Page} page @param {Proof[]} found */
export function problemsOf(page, found) {
  const problems = [...page.problems];
  const listed = new Set(page.features.map(({ id }) => id));
  const proven = new Set(found.flatMap(({ ids }) => ids));
  for (const { id, sentence } of page.features) {
    if (!proven.has(id) && !page.unproven.has(id)) problems.push(`${id} has no test: ${sentence}`);
    if (proven.has(id) && page.unproven.has(id)) problems.push(`${id} has a test, and is listed as without one`);
  }
  for (const { ids, file, line } of found) {
    for (const id of ids)
      if (!listed.has(id)) problems.push(`${file}:${line} proves ${id}, which ${PAGE} does not list`);
  }
  return problems;
}

function main() {
  const page = readPage(readFileSync(join(ROOT, PAGE), "utf8"));
  const found = proofs();
  const problems = problemsOf(page, found);
  const rows = page.features.map(({ id, sentence }) => ({
    id,
    sentence,
    tests: found.filter(({ ids }) => ids.includes(id)).map(({ file, line, title }) => ({ file, line, title })),
    reason: page.unproven.get(id) ?? null,
  }));
  if (process.argv.includes("--json")) {
    console.log(JSON.stringify({ features: rows, problems }, null, 2));
  } else {
    for (const { id, sentence, tests, reason } of rows) {
      console.log(`${id.padEnd(8)} ${sentence}`);
      for (const { file, line } of tests) console.log(`         ${file}:${line}`);
      if (reason !== null) console.log(`         no test: ${reason}`);
    }
    const proven = rows.filter(({ tests }) => tests.length > 0).length;
    console.log(`\n${proven} of ${rows.length} features are proven by ${found.length} tests`);
  }
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) main();
