import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import {
  declaredTests,
  hasGeneratedTests,
  hasTests,
  readExitCode,
  readSummary,
  readTestEvent,
  type Summary,
} from "../../results/autopkgtest.ts";
import { ifExists } from "../../files/optional-file.ts";
import { parseDsc, type Dsc } from "../../debian/dsc.ts";
import { messageOf } from "../../domain/error.ts";
import type { TestResult } from "../../domain/ticket.ts";
import { describeEnd, exec, findTool, requireTools } from "../../host/exec.ts";
import { programRoot, type StatePaths } from "../../host/paths.ts";
import type { Base } from "../../session/layer.ts";
import { findLayer, requireBase } from "../../session/find-layer.ts";
import { makeUsable } from "../../session/make-layer.ts";
import { openSession } from "../../session/open-session.ts";
import { LimitExceeded, type Resources } from "../../session/resources.ts";
import { removeTree } from "../../session/remove-tree.ts";
import { explainingLine, withLimit } from "../builder/build-log.ts";
import { runTask, type TaskRun } from "../run-task.ts";
import { ourFault, packageFault, toolFault, Verdict } from "../verdict.ts";
import type { ProducedFile, RunContext } from "../run-context.ts";
import type { Tester, TestRequest, TestRunResult } from "./tester.ts";
import type { TestbedOptions } from "./virt-server.ts";

interface AutopkgtestOptions {
  readonly paths: StatePaths;
  /** Time limit of one package's tests together. */
  readonly timeoutMs: number;
  /** What tests reach over the network. */
  readonly reach: TestbedOptions["reach"];
  /** Private networks that tests may reach, too. */
  readonly allow: readonly string[];
  /**
   * What tests run on: the ticket's image, or the base with the PPA, where a package that a test needs
   * and does not declare is not there. Default: the image.
   */
  readonly on?: "image" | "base";
  /** What one testbed may use; without it nothing but the machine sets limits. */
  readonly resources?: Resources;
}

/** A tester that runs Debian's autopkgtest; its testbeds are sessions over the image. */
export function createAutopkgtestTester(options: AutopkgtestOptions): Tester {
  return {
    async test(request, work) {
      const { source, version } = request;
      const subject = `${source} ${version}`;
      // The results are wanted also when a verdict is thrown.
      let found: Found = { tests: [], exitCode: null, output: null };
      const { outcome, reason, log, stages } = await runTask(
        work,
        {
          subject,
          done: `${subject} is tested`,
          log: {
            name: `${source}.autopkgtest.log`,
            title: `Tests of ${subject}`,
            facts: { tester: "autopkgtest" },
          },
          timeoutMs: options.timeoutMs,
        },
        async (run) => {
          const { verdict, ...rest } = await runTests(options, request, run);
          run.limits.any.throwIfAborted();
          found = rest;
          const count = rest.tests.length;
          run.say({ message: subject, current: count, total: count });
          if (verdict !== null) throw verdict;
        },
      );
      return { outcome, reason, ...found, log, stages };
    },
  };
}

/** The results of tests. */
type Found = Pick<TestRunResult, "tests" | "exitCode" | "output">;

async function runTests(
  {
    paths,
    reach,
    allow,
    timeoutMs,
    on = "image",
    resources,
  }: AutopkgtestOptions,
  request: TestRequest,
  { work, clock, limits, log, say }: TaskRun,
): Promise<Found & { readonly verdict: Verdict | null }> {
  const signal = limits.any;
  const { source, image, series } = request;
  requireTools(["autopkgtest", "zstd"]);
  const dsc = parseDsc(await readFile(request.dsc), request.dsc);
  const base = await requireBase(
    paths.layers,
    series,
    image.layers.at(-1) ?? null,
  );
  const declared = await clock.time("plan", () =>
    sourceTests(dsc, request.dsc, base, join(work.scratch, "plan"), signal),
  );
  if (declared === "none") {
    const detail = "no tests in this package";
    await log.write(`${source}: ${detail}\n`);
    return {
      verdict: null,
      tests: [
        { package: source, name: "*", result: "neutral", seconds: 0, detail },
      ],
      exitCode: 8,
      output: null,
    };
  }
  const names = on === "base" ? [base.name] : image.layers;
  const layers = await Promise.all(
    names.map(async (name) => {
      const layer = await findLayer(paths.layers, name);
      if (layer === undefined)
        throw ourFault(`the image's layer ${name} is gone`);
      await makeUsable(paths.layers, layer);
      return layer.root;
    }),
  );
  const testbed: TestbedOptions = {
    layers,
    base,
    repositories: request.repositories,
    scratch: join(work.scratch, "testbeds"),
    reach,
    allow,
    exceeded: join(work.scratch, "exceeded"),
    ...(resources !== undefined && { resources }),
  };
  await mkdir(testbed.scratch);
  const logFull = new AbortController();
  const options = join(work.scratch, "testbed.json");
  await writeFile(options, JSON.stringify(testbed));
  const output = join(work.scratch, "output", source);
  await mkdir(dirname(output));
  const temporary = join(work.scratch, "tmp");
  await mkdir(temporary);
  const live = liveTests(declared === "unknown" ? null : declared.length, say);
  say({ message: `preparing the tests of ${source}` });
  const ended = await clock.time("test", async () => {
    try {
      return await exec(
        [
          // autopkgtest is killed when this program dies; its testbed then reads the end of its input.
          ...["setpriv", "--pdeathsig", "KILL"],
          // autopkgtest reopens /dev/stderr, which fails on the socket that Node gives its children;
          // hence the pipe. exec, so that the process that gets our signals is autopkgtest itself.
          ...["bash", "-c", 'exec "$@" > >(exec cat) 2>&1', "autopkgtest"],
          "autopkgtest",
          `--output-dir=${output}`,
          ...timeouts(timeoutMs),
          "-B",
          request.dsc,
          "--",
          // The testbed, and so its session, is killed when autopkgtest dies, even while a test hangs.
          // Its path is needed, since autopkgtest takes a name for one of its own servers.
          ...[findTool("setpriv") ?? "/usr/bin/setpriv", "--pdeathsig", "KILL"],
          process.execPath,
          join(programRoot, "bin/ubuntu-ci-testbed"),
          options,
        ],
        {
          logFile: log.path,
          ...(resources !== undefined && {
            logLimit: {
              bytes: resources.logMiB * 1024 ** 2,
              reached: () =>
                logFull.abort(new LimitExceeded("logMiB", resources)),
            },
          }),
          signal: AbortSignal.any([signal, logFull.signal]),
          onLine: live.onLine,
          // Users inside the testbed have to read what is copied into it.
          umask: "022",
          env: { TMPDIR: temporary },
        },
      );
    } finally {
      // When autopkgtest is killed, it does not clean up.
      await removeTree(testbed.scratch);
    }
  });
  signal.throwIfAborted();
  logFull.signal.throwIfAborted();
  const limit = await ifExists(readFile(testbed.exceeded, "utf8"));
  if (limit !== undefined) throw packageFault(limit);
  const packed = await clock.time("collect", () =>
    packOutput(work, source, signal),
  );
  const summary = readSummary(
    await readFile(join(output, "summary"), "utf8").catch((thrown: unknown) => {
      throw ourFault(
        `autopkgtest ${describeEnd(ended)} and left no summary: ${messageOf(thrown)}`,
      );
    }),
  );
  const { outcome, meaning } = readExitCode(ended.exitCode);
  return {
    verdict:
      outcome === "passed"
        ? null
        : new Verdict(outcome, whyNot(meaning, summary, live.outputOf)),
    tests: summary.tests.map((test): TestResult => ({
      package: source,
      ...test,
      seconds: live.secondsOf(test.name),
    })),
    exitCode: ended.exitCode ?? null,
    output: packed,
  };
}

/** Leaves every time limit to us: each of autopkgtest's own becomes longer than that of all tests. */
function timeouts(timeoutMs: number): readonly string[] {
  const seconds = Math.ceil(timeoutMs / 1000) + 600;
  return ["short", "copy", "install", "test", "build"].map(
    (what) => `--timeout-${what}=${seconds}`,
  );
}

/**
 * Why the tests did not pass, in one line for people.
 *
 * @param outputOf the end of what a test printed
 */
function whyNot(
  meaning: string,
  { tests, message }: Summary,
  outputOf: (test: string) => string,
): string {
  const bad = tests
    .filter(({ result }) => result === "fail")
    .map(({ name, detail }) => {
      const output = /^non-zero exit/.test(detail) ? outputOf(name) : "";
      const line = output === "" ? "" : withLimit(explainingLine(output));
      const why = [withLimit(detail), line].filter((part) => part !== "");
      return why.length === 0 ? name : `${name} (${why.join(": ")})`;
    });
  const shown = bad.slice(0, 3).join(", ");
  const more = bad.length > 3 ? ` and ${bad.length - 3} more` : "";
  return [meaning, ...(bad.length === 0 ? [] : [shown + more]), message ?? ""]
    .filter((part) => part !== "")
    .join(": ");
}

/**
 * The names of the tests that a source package declares; unknown when only autopkgtest can tell. The upload is
 * untrusted, so it is unpacked in a session over the base.
 */
async function sourceTests(
  dsc: Dsc,
  path: string,
  base: Base,
  scratch: string,
  signal: AbortSignal,
): Promise<readonly string[] | "none" | "unknown"> {
  if (!hasTests(dsc.testsuite)) return "none";
  if (hasGeneratedTests(dsc.testsuite)) return "unknown";
  // 3.0 (quilt) has debian/ in a tarball of its own, and a native package in its only tarball. In 1.0
  // with a diff, debian/ is in the diff, which we do not apply.
  const native = !dsc.files.some(({ name }) => name.endsWith(".diff.gz"));
  const tarball =
    dsc.files.find(({ name }) => /\.debian\.tar\.\w+$/.test(name)) ??
    (native
      ? dsc.files.find(({ name }) => /\.tar\.\w+$/.test(name))
      : undefined);
  if (tarball === undefined) return "unknown";
  const prefix = tarball.name.includes(".debian.tar.") ? "" : "*/";
  const inside = `/source/${tarball.name}`;
  const contents = { copyOf: join(dirname(path), tarball.name) };
  const session = await openSession({
    layers: [base.root],
    scratch,
    given: [{ path: inside, contents }],
  });
  const argv = [
    ...["tar", "--extract", "--to-stdout"],
    ...["--wildcards", "--no-wildcards-match-slash"],
    ...[`--file=${inside}`, `${prefix}debian/tests/control`],
  ];
  const readControl = async () => {
    try {
      return (await session.run(argv, { user: "builder", signal })).stdout;
    } finally {
      await session.close();
    }
  };
  const text = await readControl();
  if (text === "") return "unknown";
  try {
    return declaredTests(text);
  } catch {
    return "unknown"; // autopkgtest reports what is wrong
  }
}

/** Lines of a test's output that are kept, to say why it failed. */
const keptLines = 200;

/** Follows autopkgtest's output: reports the test that runs, measures each test, keeps the end of its output. */
function liveTests(
  total: number | null,
  say: TaskRun["say"],
): {
  onLine: (line: string) => void;
  secondsOf: (name: string) => number;
  outputOf: (name: string) => string;
} {
  const started = new Map<string, number>();
  const took = new Map<string, number>();
  const printed = new Map<string, string[]>();
  let running: string[] = [];
  let current = 0;
  return {
    onLine(line) {
      const event = readTestEvent(line);
      switch (event?.phase) {
        case "preparing":
          current += 1;
          say({ message: event.test, current, total });
          return;
        case "begins":
          started.set(event.test, performance.now());
          running = [];
          printed.set(event.test, running);
          return;
        case "ends": {
          running = [];
          const since = started.get(event.test) ?? performance.now();
          took.set(event.test, (performance.now() - since) / 1000);
          return;
        }
        case undefined:
          running.push(line);
          if (running.length > 2 * keptLines) running.splice(0, keptLines);
      }
    },
    outputOf: (name) => (printed.get(name) ?? []).join("\n"),
    secondsOf: (name) => Math.round((took.get(name) ?? 0) * 1000) / 1000,
  };
}

async function packOutput(
  work: RunContext,
  source: string,
  signal: AbortSignal,
): Promise<ProducedFile | null> {
  const name = `${source}.autopkgtest.tar.zst`;
  const path = join(work.scratch, name);
  const packed = await exec(
    [
      ...["tar", "--create", "--sparse", "--zstd", `--file=${path}`],
      ...[`--directory=${join(work.scratch, "output")}`, "--", source],
    ],
    { signal },
  );
  signal.throwIfAborted();
  if (packed.exitCode !== 0)
    throw toolFault("packing the test output: tar", packed);
  return { name, path };
}
