import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { name: "readme", root: import.meta.dirname, testTimeout: 60_000, hookTimeout: 30_000 },
});
