import type { SessionApt } from "../host/session/session-apt.ts";
import type { Session } from "../host/session/session.ts";
import { aptVerdict } from "./apt-verdict.ts";
import { ourFault, packageFault, type Verdict } from "./verdict.ts";
import type { WorkLog } from "./work-log.ts";

/** Where repositories are shown inside (host/session/session-apt.ts). */
const repositories = "file:/run/ubuntu-ci/repo/";

/** The name of our repository that a URI of apt's points into; undefined: the distribution's. */
export function repositoryOf(uri: string): string | undefined {
  if (!uri.startsWith(repositories)) return undefined;
  return uri.slice(repositories.length).split("/")[0];
}

/**
 * Runs `apt-get ARGS --print-uris` inside and returns what it printed.
 *
 * @throws Verdict with apt's words when what is asked cannot be installed
 */
export async function askApt(
  session: Session,
  apt: SessionApt,
  args: readonly string[],
  log: WorkLog,
  signal: AbortSignal,
): Promise<string> {
  // Not -qq: that keeps apt's explanations back. SHA-256 because layers are named after it.
  const argv = [
    ...["apt-get", "-q", "--print-uris"],
    ...["-o", "Acquire::ForceHash=SHA256", ...args],
  ];
  const asked = await session.run(argv, { env: apt.env, signal });
  signal.throwIfAborted();
  const output = asked.stdout + asked.stderr;
  await log.write(`$ ${argv.join(" ")}\n${output}`);
  if (asked.exitCode !== 0) throw aptFailure(output);
  return asked.stdout;
}

/**
 * Runs apt-get inside with the network. When a file is gone from the mirror, the package lists are
 * read anew and it is tried once more.
 *
 * @throws Verdict when it fails: the package's fault or ours, as apt's words tell
 */
export async function runApt(
  session: Session,
  apt: SessionApt,
  args: readonly string[],
  log: WorkLog,
  signal: AbortSignal,
): Promise<void> {
  const argv = ["apt-get", "-q", "-y", ...args];
  for (const again of [true, false]) {
    await log.write(`$ ${argv.join(" ")}\n`);
    const ended = await session.run(argv, {
      env: apt.env,
      network: true,
      signal,
    });
    const output = ended.stdout + ended.stderr;
    await log.write(output);
    signal.throwIfAborted();
    if (ended.exitCode === 0) return;
    if (!again || !aptVerdict(output).stale) throw aptFailure(output);
    await log.write("the mirror has moved on: reading its lists anew\n");
    await apt.refresh(session, { logFile: log.path, signal });
  }
}

function aptFailure(output: string): Verdict {
  const { blame, line } = aptVerdict(output);
  return blame === "package" ? packageFault(line) : ourFault(line);
}
