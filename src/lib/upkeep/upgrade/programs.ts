import { existsSync } from "node:fs";
import { basename, join } from "node:path";

import { messageOf, misconfigured, notNow } from "../../domain/error.ts";
import { readMaintenance } from "../../locks/maintenance.ts";
import { runTool } from "./run-tool.ts";
import type { StateVersion } from "../../state/copies.ts";
import type { NewEvent } from "../../state/events.ts";
import type { UpgradeJournal } from "./journal.ts";
import type { Upgrading } from "./upgrading.ts";
import { toolsOf } from "./upgrading.ts";

/** Whether a program opens that state, migrating it if need be: any version has `status`. */
export async function migrate(
  work: Upgrading,
  journal: UpgradeJournal,
  program: string,
  root: string,
): Promise<void> {
  await ci(work, journal, program, ["status", "--step", "100", "--json"], {
    root,
    timeoutMs: 60 * 60_000,
  });
}

/** What a program's `doctor` finds wrong with this machine. The network's weather is not the program's. */
export async function failings(
  work: Upgrading,
  journal: UpgradeJournal,
  program: string,
  root: string,
): Promise<{ name: string; detail: string; remedy: string | null }[]> {
  const text = await ci(work, journal, program, ["doctor", "--json"], {
    root,
    failing: true,
  });
  let findings;
  try {
    ({ findings } = JSON.parse(text) as {
      findings: {
        name: string;
        ok: boolean;
        detail: string;
        remedy: string | null;
      }[];
    });
  } catch (thrown) {
    throw notNow(
      `the doctor of ${program} does not answer: ${text.slice(-500)}`,
      undefined,
      thrown,
    );
  }
  return findings.filter(({ ok, name }) => !ok && !name.startsWith("mirror"));
}

/** Refuses a program whose doctor finds wrong what the old one's did not. */
export async function refuseNewFailings(
  work: Upgrading,
  journal: UpgradeJournal,
  program: string,
  root: string,
  before: readonly { name: string }[],
): Promise<void> {
  const fresh = (await failings(work, journal, program, root)).filter(
    ({ name }) => !before.some((known) => known.name === name),
  );
  const [first] = fresh;
  if (first === undefined) return;
  throw misconfigured(
    `its doctor says: ${fresh.map(({ name, detail }) => `${name}: ${detail}`).join("; ")}`,
    first.remedy ?? undefined,
  );
}

/** Switches maintenance on for a change of the program. */
export async function maintenanceOn(
  work: Upgrading,
  journal: UpgradeJournal,
): Promise<void> {
  await ci(work, journal, work.place.program, [
    ...["maintenance", "on", "--reason"],
    `${reasonOf(journal)} to ${journal.to}`,
  ]);
}

/** Switches maintenance off again, unless somebody has switched it on for another reason meanwhile. */
export async function maintenanceOff(
  work: Upgrading,
  journal: UpgradeJournal,
): Promise<void> {
  const found = readMaintenance(work.paths.maintenance);
  if (found === null) return;
  if (found.reason?.startsWith(reasonOf(journal)) !== true) {
    work.warn(
      `maintenance stays on: it was switched on${found.by === null ? "" : ` by ${found.by}`} for another reason${found.reason === null ? "" : `, ${found.reason}`}`,
    );
    return;
  }
  await ci(work, journal, work.place.program, ["maintenance", "off"]);
}

const reasonOf = ({ kind, from }: UpgradeJournal) => `${kind} from ${from}`;

/** Runs a command of one of the programs, as the state's owner. */
export async function ci(
  work: Upgrading,
  journal: UpgradeJournal,
  program: string,
  args: readonly string[],
  options: {
    readonly root?: string;
    readonly timeoutMs?: number;
    /** Its exit code says something, and is no failure. */
    readonly failing?: boolean;
  } = {},
): Promise<string> {
  const argv = [
    ...[process.execPath, join(program, "bin/ubuntu-ci")],
    ...["--state-dir", options.root ?? work.paths.root],
    ...(work.configFile === null ? [] : ["--config", work.configFile]),
    ...args,
  ];
  const place = {
    cwd: "/",
    timeoutMs: options.timeoutMs ?? 10 * 60_000,
    // A doctor's findings are in what it prints.
    anyExit: options.failing === true,
  };
  const tools = { ...toolsOf(work, journal.id), account: null };
  return runTool(tools, argv, place);
}

/**
 * Runs a part of the upgrade that touches the state (state-main), with the code of the old
 * program; or, when it is about how this version keeps things, of the one in place.
 */
export async function state(
  work: Upgrading,
  journal: UpgradeJournal,
  ...args: string[]
): Promise<unknown> {
  const [verb = "", ...rest] = args;
  const now = mainIn(work.place.program);
  const main = verb === "record" && existsSync(now) ? now : mainIn(journal.old);
  const text = await runTool(
    { ...toolsOf(work, journal.id), account: null },
    [
      ...[process.execPath, main],
      ...[work.paths.root, journal.id, verb, ...rest],
    ],
    { cwd: "/", timeoutMs: 60 * 60_000 },
  );
  return JSON.parse(text);
}

const mainIn = (program: string) =>
  join(program, "dist/lib/upkeep/upgrade/state-main.js");

/** Schema and last event of the state, which is not migrated for that. */
export async function askStateVersion(
  work: Upgrading,
  journal: UpgradeJournal,
): Promise<StateVersion> {
  return (await state(work, journal, "version")) as StateVersion;
}

/** Records what came of a change of the program. */
export async function record(
  work: Upgrading,
  journal: UpgradeJournal,
  what: string,
  why: string | null,
): Promise<void> {
  const event: NewEvent = {
    actor: work.actor,
    subject: "program",
    subject_id: basename(work.place.program),
    what,
    from_state: journal.from,
    to_state: journal.to,
    ...(why !== null && { why }),
  };
  try {
    await state(
      work,
      journal,
      "record",
      String(journal.before?.lastEvent ?? 0),
      JSON.stringify(event),
    );
  } catch (thrown) {
    // The program that runs now may keep its history in another way.
    work.warn(`the history does not have it: ${messageOf(thrown)}`);
  }
}
