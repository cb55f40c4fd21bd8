import { defineConfig } from "vitest/config";

export default defineConfig({
  cacheDir: "../../node_modules/.vite",
  test: {
    name: "contract",
    root: import.meta.dirname,
    include: ["**/*.test.ts"],
    // Each file starts servers of its own; more than two at a time only slows a small machine down.
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 30_000,
  },
});
