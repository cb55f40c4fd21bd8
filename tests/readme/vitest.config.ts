import { join } from "node:path";
import { defineConfig } from "vitest/config";

export default defineConfig({
  cacheDir: join(import.meta.dirname, "../../node_modules/.vite"),
  test: { name: "readme", root: import.meta.dirname, testTimeout: 60_000, hookTimeout: 30_000 },
});
