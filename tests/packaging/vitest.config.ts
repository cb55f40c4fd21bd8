import { dirname, join } from "node:path";
import { defineConfig } from "vitest/config";

const tests = dirname(import.meta.dirname);

export default defineConfig({
  cacheDir: join(tests, "../node_modules/.vite"),
  test: {
    name: "packaging",
    root: tests,
    include: ["packaging/**/*.test.ts"],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
