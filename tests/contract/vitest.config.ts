import { dirname, join } from "node:path";
import { defineConfig } from "vitest/config";

const tests = dirname(import.meta.dirname);

export default defineConfig({
  cacheDir: join(tests, "../node_modules/.vite"),
  test: {
    name: "contract",
    root: tests,
    include: ["contract/**/*.test.ts", "types/**/*.test.ts"],
    // Each file starts servers of its own; more than two at a time only slows a small machine down.
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 30_000,
  },
});
