// The tools' wasm as a compiled module, from text, when it is first needed. Bundles for platforms that compile wasm themselves
// leave it out.
import { decode } from "../entrypoints/decode.ts";
import text from "./tools/generated/flag-tools.base64.js";

let compiled: WebAssembly.Module | undefined;

export default (): WebAssembly.Module => {
  compiled ??= new WebAssembly.Module(decode(text));
  return compiled;
};
