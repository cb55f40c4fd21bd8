// The entry for Cloudflare Workers, which compile wasm when they are deployed and ban it afterwards.
import "../platform/workerd.ts";

export * from "../index.ts";
