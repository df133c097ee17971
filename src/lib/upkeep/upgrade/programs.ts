import { existsSync } from "node:fs";
import { basename, join } from "node:path";

import { messageOf, misconfigured, notNow } from "../../domain/error.ts";
import type { Maintenance } from "../../locks/maintenance.ts";
import { readMaintenance } from "../../locks/maintenance.ts";
import type { StateVersion } from "../../state/copies.ts";
import type { NewEvent } from "../../state/events.ts";
import type { Diagnosis } from "../doctor/diagnosis.ts";
import type { UpgradeJournal } from "./journal.ts";
import type { ToolOptions } from "./run-tool.ts";
import { minute, runTool } from "./run-tool.ts";
import type { Change } from "./upgrading.ts";

/** Has a program open a state, which migrates it. Every version has `status`. */
export async function migrate(
  change: Change,
  program: string,
  root: string,
): Promise<void> {
  const argv = ["status", "--step", "100", "--json"];
  await ubuntuCi(change, program, argv, { root, timeoutMs: 60 * minute });
}

/** What a program's `doctor` finds wrong, apart from the mirror: that does not depend on the program. */
export async function problemsFound(
  change: Change,
  program: string,
  root: string,
): Promise<Diagnosis[]> {
  const argv = ["doctor", "--json"];
  const text = await ubuntuCi(change, program, argv, { root, anyExit: true });
  try {
    const { findings } = JSON.parse(text) as { findings: Diagnosis[] };
    return findings.filter(({ ok, name }) => !ok && !name.startsWith("mirror"));
  } catch (thrown) {
    throw notNow(
      `the doctor of ${program} does not answer: ${text.slice(-500)}`,
      undefined,
      thrown,
    );
  }
}

/** @throws UbuntuCiError (78) when a program's `doctor` finds more wrong than is known */
export async function refuseNewProblems(
  change: Change,
  program: string,
  root: string,
  known: readonly Diagnosis[],
): Promise<void> {
  const fresh = (await problemsFound(change, program, root)).filter(
    ({ name }) => !known.some((one) => one.name === name),
  );
  const [first] = fresh;
  if (first === undefined) return;
  throw misconfigured(
    `its doctor says: ${fresh.map(({ name, detail }) => `${name}: ${detail}`).join("; ")}`,
    first.remedy ?? undefined,
  );
}

export async function maintenanceOn(change: Change): Promise<void> {
  const reason = `${reasonOf(change.journal)} to ${change.journal.to}`;
  const argv = ["maintenance", "on", "--reason", reason];
  await ubuntuCi(change, change.place.program, argv);
}

/** Switches maintenance off, unless somebody else has switched it on for another reason in the meantime. */
export async function maintenanceOff(change: Change): Promise<void> {
  const found = readMaintenance(change.paths.maintenance);
  if (found === null) return;
  const { by, reason } = found;
  if (isOf(change.journal, found))
    await ubuntuCi(change, change.place.program, ["maintenance", "off"]);
  else
    change.warn(
      `maintenance stays on: it was switched on${by === null ? "" : ` by ${by}`} for another reason${reason === null ? "" : `, ${reason}`}`,
    );
}

/**
 * After a failed change maintenance stays on, so that a person looks at it before anything goes on.
 *
 * @returns whether it is on: a change may fail before it has switched it on
 */
export async function keepMaintenance(
  change: Change,
  why: string,
): Promise<boolean> {
  const { journal, paths, place } = change;
  const found = readMaintenance(paths.maintenance);
  if (found === null) return false;
  if (isOf(journal, found)) {
    const reason = `${reasonOf(journal)} to ${journal.to} failed while ${why}`;
    const argv = ["maintenance", "on", "--reason", reason];
    await ubuntuCi(change, place.program, argv);
  }
  return true;
}

/** Whether a change switched maintenance on, and not a person for another reason. */
export function isOf(
  journal: UpgradeJournal,
  { reason }: Maintenance,
): boolean {
  return reason?.startsWith(reasonOf(journal)) === true;
}

const reasonOf = ({ kind, from }: UpgradeJournal) => `${kind} from ${from}`;

/** Runs a command of a program, which switches to the state's owner. */
async function ubuntuCi(
  change: Change,
  program: string,
  args: readonly string[],
  options: Partial<ToolOptions> & { readonly root?: string } = {},
): Promise<string> {
  const { root = change.paths.root, ...limits } = options;
  const { configFile } = change;
  const argv = [
    ...[process.execPath, join(program, "bin/ubuntu-ci"), "--state-dir", root],
    ...(configFile === null ? [] : ["--config", configFile]),
    ...args,
  ];
  return runTool(change, argv, { cwd: "/", asCaller: true, ...limits });
}

/**
 * Has state-main do its part of the upgrade. That is the code of the old program, which knows the
 * present schema; only an event is recorded by the program in place, which is the one to read it.
 */
export async function state(
  change: Change,
  verb: string,
  ...args: readonly string[]
): Promise<unknown> {
  const { place, paths, journal } = change;
  const inPlace = mainOf(place.program);
  const main =
    verb === "record" && existsSync(inPlace) ? inPlace : mainOf(journal.old);
  const argv = [process.execPath, main, paths.root, journal.id, verb, ...args];
  const limits = { cwd: "/", asCaller: true, timeoutMs: 60 * minute };
  return JSON.parse(await runTool(change, argv, limits));
}

const mainOf = (program: string) =>
  join(program, "dist/lib/upkeep/upgrade/state-main.js");

/** Schema and last event of the state, read without migrating it. */
export async function askStateVersion(change: Change): Promise<StateVersion> {
  return (await state(change, "version")) as StateVersion;
}

/** Records the result of a change in the history, once. */
export async function record(
  change: Change,
  what: string,
  why: string | null,
): Promise<void> {
  const { place, actor, journal } = change;
  const event: NewEvent = {
    actor,
    subject: "program",
    subject_id: basename(place.program),
    what,
    from_state: journal.from,
    to_state: journal.to,
    ...(why !== null && { why }),
  };
  const since = String(journal.before?.lastEvent ?? 0);
  try {
    await state(change, "record", since, JSON.stringify(event));
  } catch (thrown) {
    // The program in place may have another form of history.
    change.warn(`the history does not have it: ${messageOf(thrown)}`);
  }
}
