// Makes the dashboard's one page and its policy from dashboard/. `npm run dashboard` writes them into src/http/dashboard,
// where the core finds them without a build before its own; a test says when they are old.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync } from "node:zlib";
import { build } from "esbuild";
import { ROOT } from "./toolchain.mjs";

const SOURCE = join(ROOT, "dashboard");
const TARGET = join(ROOT, "src/http/dashboard");

/** @param {string} name @returns {Promise<string>} The file with all that it imports. */
async function bundled(name) {
  const { outputFiles } = await build({
    entryPoints: [join(SOURCE, name)],
    bundle: true,
    write: false,
    minify: true,
    format: "esm",
    target: ["es2022", "chrome123", "firefox120", "safari17.5"],
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "none",
    charset: "ascii",
    logLevel: "error",
  });
  const text = outputFiles[0]?.text.trim() ?? "";
  if (text.includes("</s")) throw new Error(`${name} would end its own element`);
  return text;
}

/** @param {string} text */
function digestOf(text) {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

/** @returns {Promise<{ page: string, policy: string }>} */
export async function makeDashboard() {
  const [script, style] = await Promise.all([bundled("app.tsx"), bundled("style.css")]);
  const page = readFileSync(join(SOURCE, "index.html"), "utf8")
    .replace("/* style */", () => style)
    .replace("/* script */", () => script);
  const policy = [
    "default-src 'none'",
    `script-src ${digestOf(script)}`,
    `style-src ${digestOf(style)}`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ];
  return { page, policy: `${policy.join("; ")}\n` };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { page, policy } = await makeDashboard();
  mkdirSync(TARGET, { recursive: true });
  writeFileSync(join(TARGET, "page.html"), page);
  writeFileSync(join(TARGET, "policy.txt"), policy);
  console.log(`page.html ${page.length} bytes, ${brotliCompressSync(page).length} with Brotli`);
}
