import type { Outcome, TestResult } from "../../domain/ticket.ts";
import type { AptRepository } from "../apt-repository.ts";
import type { Image } from "../imager/imager.ts";
import type { ProducedFile, RunContext } from "../run-context.ts";

export interface TestRequest {
  readonly source: string;
  readonly version: string;
  readonly series: string;
  /** Absolute path of the .dsc, its files beside it. */
  readonly dsc: string;
  readonly image: Image;
  readonly repositories: readonly AptRepository[];
}

export interface TestRunResult {
  readonly outcome: Outcome;
  readonly reason: string | null;
  readonly tests: readonly TestResult[];
  /** autopkgtest's exit code, null when it did not end by itself. */
  readonly exitCode: number | null;
  readonly log: ProducedFile | null;
  /** The raw output folder, packed as `SOURCE.autopkgtest.tar.zst`. */
  readonly output: ProducedFile | null;
  readonly stages: Readonly<Record<string, number>>;
}

/** Runs the autopkgtests (dep8) of one source package on an image. */
export interface Tester {
  readonly name: "autopkgtest" | "fake";
  test(request: TestRequest, work: RunContext): Promise<TestRunResult>;
}
