// The entry for Vercel's edge runtime, which compiles `?module` imports itself and bans compiling bytes.
export * from "../index.ts";
