import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { knobFor, playKnob } from "../fake-knob.ts";
import type { Tester } from "./tester.ts";

/** A tester that takes milliseconds and no tools; `knob` is the setting `fake.tester`. */
export function createFakeTester(knob: string): Tester {
  return {
    name: "fake",
    async test(request, work) {
      const started = performance.now();
      const { source } = request;
      const outcome = await playKnob(knobFor(knob, source), work);
      const seconds = (performance.now() - started) / 1000;
      const log = {
        name: `${source}.autopkgtest.log`,
        path: join(work.scratch, `${source}.autopkgtest.log`),
      };
      await writeFile(log.path, `fake test of ${source}: ${outcome}\n`);
      work.progress({
        state: outcome === "passed" ? "COMPLETED" : "FAILED",
        message: source,
        current: 1,
        total: 1,
      });
      const reason =
        outcome === "passed" ? null : `the fake tester was told to: ${outcome}`;
      const codes = { passed: 0, failed: 4, tmpfail: 16 } as const;
      return {
        outcome,
        reason,
        tests:
          outcome === "tmpfail"
            ? []
            : [
                {
                  package: source,
                  name: "fake",
                  result: outcome === "passed" ? "pass" : "fail",
                  seconds,
                  detail: reason ?? "",
                },
              ],
        exitCode: codes[outcome],
        log,
        output: null,
        stages: { test: seconds * 1000 },
      };
    },
  };
}
