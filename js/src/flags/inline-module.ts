// The flags' wasm as a compiled module, from text. Bundles for platforms that compile wasm themselves leave it out.
import { decode } from "../entrypoints/decode.ts";
import text from "./generated/flags.base64.js";

export default new WebAssembly.Module(decode(text));
