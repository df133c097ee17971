import { runFakeTask } from "../fake-task.ts";
import type { Tester } from "./tester.ts";

const exitCodes = { passed: 0, failed: 4, tmpfail: 16 } as const;

/** A tester that needs no tools and takes milliseconds; `knob` is the setting `fake.tester`. */
export function createFakeTester(knob: string): Tester {
  return {
    async test({ source }, work) {
      const ended = await runFakeTask(knob, work, {
        backend: "tester",
        does: "test",
        subject: source,
        source,
        logName: `${source}.autopkgtest.log`,
        stage: "test",
        parts: 1,
      });
      const { outcome, reason, stages } = ended;
      const test = {
        package: source,
        name: "fake",
        result: outcome === "passed" ? "pass" : "fail",
        seconds: (stages["test"] ?? 0) / 1000,
        detail: reason ?? "",
      } as const;
      return {
        ...ended,
        tests: outcome === "tmpfail" ? [] : [test],
        exitCode: exitCodes[outcome],
        output: null,
      };
    },
  };
}
