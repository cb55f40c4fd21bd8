import { dirname, join } from "node:path";
import { defineConfig } from "vitest/config";

const tests = dirname(import.meta.dirname);

export default defineConfig({
  cacheDir: join(tests, "../node_modules/.vite"),
  test: {
    name: "e2e",
    root: tests,
    include: ["e2e/**/*.test.ts"],
    // Each file runs a server and a workerd of its own, and some measure time.
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
