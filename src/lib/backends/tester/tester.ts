import type { TestResult } from "../../domain/ticket.ts";
import type { BuildRequest } from "../builder/builder.ts";
import type { Image } from "../imager/imager.ts";
import type { ProducedFile, RunContext, WorkResult } from "../run-context.ts";

/** A source package to test, and an image in which its binaries are installed. */
export interface TestRequest extends BuildRequest {
  readonly image: Image;
}

export interface TestRunResult extends WorkResult {
  readonly tests: readonly TestResult[];
  /** autopkgtest's exit code; null when it did not exit by itself. */
  readonly exitCode: number | null;
  /** The raw output folder, packed as `SOURCE.autopkgtest.tar.zst`. */
  readonly output: ProducedFile | null;
}

/** Runs the autopkgtests (dep8) of one source package on an image. */
export interface Tester {
  test(request: TestRequest, work: RunContext): Promise<TestRunResult>;
}
