import { dirname, join } from "node:path";
import { defineConfig } from "vitest/config";

const tests = dirname(import.meta.dirname);

export default defineConfig({
  cacheDir: join(tests, "../node_modules/.vite"),
  test: {
    name: "stores",
    root: tests,
    include: ["stores/**/*.test.ts"],
    // Each file runs servers of its own.
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
