import { defineConfig } from "vitest/config";

const minutes = 60_000;
/** Whole-program tests that run Debian's real tools in real sessions. */
const real = [
  "apt-clients",
  "archive",
  "backends",
  "main-job",
  "packages",
  "real-index",
  "session",
].map((name) => `test/${name}.test.ts`);

// Tests make files of a state by hand, whose modes must not depend on the caller.
process.umask(0o022);

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts"],
          testTimeout: 30_000,
          // Nothing here changes its process: files share one and what it has loaded.
          isolate: false,
          maxWorkers: "100%",
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          // Each file has installations of its own, with fake backends.
          name: "program",
          maxWorkers: "100%",
          include: ["test/**/*.test.ts"],
          exclude: real,
          testTimeout: 5 * minutes,
          hookTimeout: 5 * minutes,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          // Each keeps a core busy for minutes: two files at a time.
          name: "real",
          include: real,
          testTimeout: 15 * minutes,
          hookTimeout: 15 * minutes,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
    ],
    coverage: { provider: "v8", include: ["src/**/*.ts"] },
  },
});
