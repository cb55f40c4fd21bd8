// The core as a compiled module, from text. The bundles for platforms that compile wasm themselves leave this file out.
import text from "../generated/core.base64.js";
import { decode } from "./decode.ts";

export default new WebAssembly.Module(decode(text));
