// From Rust to wasm and its JavaScript glue: cargo, wasm-bindgen, wasm-opt.
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { runStep, StepError } from "./progress.mjs";
import { findWasmBindgen, firstLine, ROOT, WASM_TARGET } from "./toolchain.mjs";

/** What makes a wasm build different besides the Rust sources. */
export const WASM_INPUTS = ["Cargo.toml", "Cargo.lock", "src", "scripts/wasm.mjs"];

// Named one by one: with `--all-features` the optimizer may use what no runtime has yet.
const WASM_FEATURES = [
  "mutable-globals",
  "sign-ext",
  "nontrapping-float-to-int",
  "bulk-memory",
  "multivalue",
  "reference-types",
];

/** The compiler's version, which belongs to the inputs. */
export function compilerVersion() {
  return firstLine("rustc", ["--version"]) ?? "";
}

/**
 * Builds the crate with one feature and leaves `<name>.js` and `<name>_bg.wasm` in `folder`.
 *
 * @param {{ feature: "bindings" | "monitor" | "flags" | "flag-tools" | "worker", name: string, folder: string, bindgen: string[], features?: string[] }} what
 *   `bindgen` are further arguments of wasm-bindgen, `features` further wasm features that it makes use of.
 */
export async function buildWasm({ feature, name, folder, bindgen, features = [] }) {
  const tool = findWasmBindgen();
  if (tool === undefined) throw new StepError("wasm-bindgen is missing. Run: npm run setup");
  await runStep(
    `Rust core, feature ${feature}`,
    "cargo",
    ["build", "--release", "--lib", "--features", feature, "--target", WASM_TARGET],
    { cwd: ROOT, env: { ...process.env, CARGO_ENCODED_RUSTFLAGS: rustFlags() } },
  );
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const input = join(targetFolder(), WASM_TARGET, "release", "seawall.wasm");
  await runStep(
    `glue for feature ${feature}`,
    tool,
    [
      ...["--target", "module", "--experimental-reset-state-function", ...bindgen],
      ...["--out-name", name, "--out-dir", folder, input],
    ],
    { cwd: ROOT, quiet: true },
  );
  const wasm = join(folder, `${name}_bg.wasm`);
  const optimizer = join(ROOT, "node_modules/binaryen/bin/wasm-opt");
  if (!existsSync(optimizer)) throw new StepError("binaryen is missing. Run: npm run setup");
  const enabled = [...WASM_FEATURES, ...features].map((each) => `--enable-${each}`);
  await runStep(
    `optimized wasm, feature ${feature}`,
    process.execPath,
    // Otherwise all that loads flags is one function, and an isolate compiles that for longer than it runs.
    [optimizer, "-O3", "--one-caller-inline-max-function-size=20", ...enabled, wasm, "-o", wasm],
    { cwd: ROOT },
  );
}

/** Paths of this machine in panic messages would make the bytes differ from one machine to the next. */
function rustFlags() {
  const own = process.env.CARGO_ENCODED_RUSTFLAGS ?? process.env.RUSTFLAGS?.trim().split(/\s+/).join("\x1f") ?? "";
  const home = process.env.CARGO_HOME ?? join(homedir(), ".cargo");
  // Separated by a character that no path holds.
  return [own, `--remap-path-prefix=${home}=/cargo`, `--remap-path-prefix=${ROOT}=/seawall`]
    .filter((flag) => flag !== "")
    .join("\x1f");
}

function targetFolder() {
  const metadata = firstLine("cargo", ["metadata", "--no-deps", "--offline", "--format-version", "1"]);
  if (metadata === undefined) throw new StepError("cargo metadata failed");
  return JSON.parse(metadata).target_directory;
}
