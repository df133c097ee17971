import { join } from "node:path";

import {
  bringBack,
  Damage,
  troubleOfMachine,
  UbuntuCiError,
} from "../../domain/error.ts";
import { now } from "../../host/clock.ts";
import { letSignalsIn } from "../../host/let-signals-in.ts";
import { isThere } from "../../files/optional-file.ts";
import { crashPoint } from "../../files/crash-point.ts";
import { recordEvent } from "../../state/events.ts";
import type { StatePaths } from "../../host/paths.ts";
import { inspectFile } from "../../state/snapshot.ts";
import type { LocalEngine } from "../../engine/engine.ts";
import { archive } from "./archive.ts";
import type { Inconsistency, Look } from "./inconsistency.ts";
import { fromBackup } from "./inconsistency.ts";
import { folders, keys, modes } from "./folders.ts";
import { layers } from "./layers.ts";
import { ppas } from "./ppas.ts";
import { rows, runs } from "./rows.ts";
import { artifacts, strayFiles } from "./store.ts";
import { advice, remedy } from "../../domain/remedy.ts";

const looks: readonly (readonly [check: string, look: Look])[] = [
  ["state", rows],
  ["run", runs],
  ["store", artifacts],
  ["store", strayFiles],
  ["archive", archive],
  ["ppa", ppas],
  ["layer", layers],
  ["scratch", folders],
  ["key", keys],
  ["mode", modes],
];

/**
 * Checks the state, and whether the files on disk agree with it. With `mend`, repairs what it can without
 * losing data: files that no row mentions are moved to STATE/set-aside; only unfinished files of killed
 * processes are removed. When one check fails, the others are still made.
 *
 * @param open opens the state, which is not done when its file is damaged
 * @throws UbuntuCiError (78) when there is no state file; (75, 78) when it cannot be read
 */
export async function fsck(
  paths: StatePaths,
  open: () => Promise<LocalEngine>,
  {
    mend,
    digests,
    signal,
  }: {
    readonly mend: boolean;
    readonly digests: boolean;
    readonly signal: AbortSignal;
  },
): Promise<Inconsistency[]> {
  if (!isThere(paths.database))
    throw new Damage(
      `the state file ${paths.database} is missing`,
      isThere(paths.restore)
        ? advice`${remedy("restore", ["FILE"])} goes on with a restore that was ended`
        : bringBack,
    );
  const damage = inspectFile(paths.database);
  if (damage.length > 0)
    return damage.map((what) => ({
      check: "state",
      what,
      where: paths.database,
      remedy: advice`the file is damaged: ${fromBackup}`,
      mendable: false,
      mended: false,
    }));
  const engine = await open();
  const { db, actor } = engine;
  const options = {
    digests,
    signal,
    aside: join(paths.setAside, `fsck-${now().replaceAll(":", "-")}`),
  };
  const findings: Inconsistency[] = [];
  for (const [check, look] of looks) {
    const found = await attempt(() => look(engine, options));
    if ("trouble" in found) {
      findings.push({
        check,
        what: `it cannot be looked at: ${found.trouble}`,
        where: paths.root,
        remedy: "mend that by hand, and run it again",
        mendable: false,
        mended: false,
      });
      continue;
    }
    for (const { mend: putRight, ...finding } of found.result) {
      if (mend) await letSignalsIn(signal);
      const mendable = putRight !== undefined;
      const done = mend && mendable ? await attempt(putRight) : undefined;
      crashPoint("fsck.mended");
      findings.push({
        ...finding,
        ...(done !== undefined &&
          "trouble" in done && {
            remedy: `it could not be mended: ${done.trouble}`,
          }),
        mendable: mendable && (done === undefined || "result" in done),
        mended: done !== undefined && "result" in done,
      });
    }
  }
  const mended = findings.filter((finding) => finding.mended);
  if (mended.length > 0)
    recordEvent(db, {
      actor,
      subject: "state",
      subject_id: "fsck",
      what: "mended",
      why: `${mended.length} findings: ${[...new Set(mended.map(({ check }) => check))].join(", ")}`,
    });
  return findings;
}

/** The result of some work, or how this machine prevented it. @throws bugs of the program */
async function attempt<T>(
  work: () => T | Promise<T>,
): Promise<{ readonly result: T } | { readonly trouble: string }> {
  try {
    return { result: await work() };
  } catch (thrown) {
    const known = troubleOfMachine(thrown) ?? thrown;
    const ofSystem =
      known instanceof Error && "code" in known && "syscall" in known;
    if (!(known instanceof UbuntuCiError) && !ofSystem) throw thrown;
    return { trouble: known.message };
  }
}
