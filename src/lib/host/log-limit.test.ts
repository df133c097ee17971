import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import { exec } from "./exec.ts";

test("a log ends at its limit, says so, and the process goes on", async () => {
  const folder = mkdtempSync(join(tmpdir(), "log-limit-"));
  try {
    const logFile = join(folder, "log");
    let reached = 0;
    const ended = await exec(["sh", "-c", "yes | head -c 3000000; exit 3"], {
      logFile,
      logLimit: { bytes: 1001, reached: () => (reached += 1) },
    });
    expect(ended.exitCode).toBe(3);
    expect(reached).toBe(1);
    expect(readFileSync(logFile, "utf8")).toBe(
      `${"y\n".repeat(500)}y\n[the log ends here: it has 1001 bytes]\n`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
