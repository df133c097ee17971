import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { notNow } from "../domain/error.ts";
import { writeFileAtomic } from "../files/atomic-file.ts";
import { ifExistsSync } from "../files/optional-file.ts";
import { now } from "../host/clock.ts";
import { describeEnd, exec, lastLines } from "../host/exec.ts";
import type { StatePaths } from "../host/paths.ts";
import { sumsFile } from "../report/sums.ts";
import type { Connection } from "../state/database.ts";
import { recordEvent } from "../state/events.ts";

/** What is known of the copy of the report on the web host. */
interface Sending {
  readonly target: string;
  /** SHA-256 of the list of checksums that was sent last; null before the first success. */
  readonly sent: string | null;
  /** Since when it fails, ISO 8601 UTC, and why it failed last; null when it succeeded. */
  readonly failure: { readonly since: string; readonly reason: string } | null;
}

const fileIn = ({ run }: StatePaths) => join(run, "report-sent.json");

function readSending(paths: StatePaths, target: string): Sending {
  const text = ifExistsSync(() => readFileSync(fileIn(paths), "utf8"));
  const none = { target, sent: null, failure: null };
  if (text === undefined) return none;
  try {
    const found = JSON.parse(text) as Sending;
    return found.target === target ? found : none;
  } catch {
    return none; // edited by hand: the report is sent again
  }
}

const digestOf = (output: string) =>
  ifExistsSync(() =>
    createHash("sha256")
      .update(readFileSync(join(output, sumsFile)))
      .digest("hex"),
  );

/** Whether a report is on the target as it is here, as far as it was sent by this installation. */
export function isSent(
  paths: StatePaths,
  output: string,
  target: string,
): boolean {
  const { sent, failure } = readSending(paths, target);
  return failure === null && sent !== null && sent === digestOf(output);
}

/** What to say of a report that does not reach its target, or null. */
export function sendingTrouble(
  paths: StatePaths,
  target: string | null,
): string | null {
  if (target === null) return null;
  const { failure } = readSending(paths, target);
  return failure === null
    ? null
    : `since ${failure.since} this report does not reach ${target}, and readers there see an older one: ${failure.reason}`;
}

/**
 * Sends a report to a web host, unless it is there already. Each file is replaced at once, after all have
 * been transferred, and what is gone is removed last: a reader never sees half a page, nor a page vanish
 * that stays.
 *
 * @param db where the history is told of a failure and of its end; null in maintenance
 * @throws UbuntuCiError (75) when rsync fails; the next report tries again
 */
export async function sendReport(
  paths: StatePaths,
  output: string,
  target: string,
  { db, actor }: { readonly db: Connection | null; readonly actor: string },
  signal: AbortSignal,
): Promise<void> {
  if (isSent(paths, output, target)) return;
  const before = readSending(paths, target);
  const sent = digestOf(output) ?? null;
  const { RSYNC_PASSWORD, SSH_AUTH_SOCK } = process.env;
  const result = await exec(
    [
      ...["rsync", "--archive", "--delay-updates", "--delete-delay"],
      ...["--timeout=300", "--", `${output}/`, target],
    ],
    {
      signal,
      env: {
        ...(RSYNC_PASSWORD !== undefined && { RSYNC_PASSWORD }),
        ...(SSH_AUTH_SOCK !== undefined && { SSH_AUTH_SOCK }),
      },
    },
  );
  signal.throwIfAborted();
  const reason =
    result.exitCode === 0
      ? null
      : `rsync ${describeEnd(result)}: ${lastLines(result.stderr, 2)}`;
  const failure =
    reason === null ? null : { since: before.failure?.since ?? now(), reason };
  await writeFileAtomic(
    fileIn(paths),
    `${JSON.stringify({ target, sent: failure === null ? sent : before.sent, failure } satisfies Sending)}\n`,
  );
  // Once for each failure, and once for its end.
  if (db !== null && (before.failure === null) !== (failure === null))
    recordEvent(db, {
      actor,
      subject: "state",
      subject_id: "report",
      what: failure === null ? "sent again" : "not sent",
      why: reason ?? target,
    });
  if (reason !== null)
    throw notNow(`the report did not reach ${target}: ${reason}`);
}
