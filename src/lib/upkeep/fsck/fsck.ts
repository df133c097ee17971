import { join } from "node:path";

import { troubleOfMachine, UbuntuCiError } from "../../domain/error.ts";
import { now } from "../../host/clock.ts";
import { crashPoint } from "../../files/crash-point.ts";
import { recordEvent } from "../../state/events.ts";
import type { Engine, LocalEngine } from "../../engine/engine.ts";
import { archive } from "./archive.ts";
import type { Inconsistency, Look } from "./inconsistency.ts";
import { fromBackup } from "./inconsistency.ts";
import { folders, keys, modes } from "./folders.ts";
import { layers } from "./layers.ts";
import { ppas } from "./ppas.ts";
import { rows, runs } from "./rows.ts";
import { artifacts, strayFiles } from "./store.ts";
import { advice } from "../../domain/remedy.ts";

export type { Inconsistency } from "./inconsistency.ts";

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
 * Looks at the state, and whether what is on disk agrees with it; with `mend`, puts right what can be
 * put right without losing anything: what no row speaks of is moved to STATE/set-aside, only
 * what killed processes left unfinished is removed. What one look cannot read or mend does not keep
 * the others from theirs.
 */
export async function fsck(
  engine: LocalEngine,
  { mend, digests }: { readonly mend: boolean; readonly digests: boolean },
): Promise<Inconsistency[]> {
  const { db, paths, actor } = engine;
  const options = {
    digests,
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

/** What came of some work, or what of this machine was in its way. @throws what is a bug */
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

/** The finding for a state file that SQLite itself finds damaged; nothing else can be relied on then. */
export function damagedState(
  { paths }: Pick<Engine, "paths">,
  what: string,
): Inconsistency {
  return {
    check: "state",
    what,
    where: paths.database,
    remedy: advice`the file is damaged: ${fromBackup}`,
    mendable: false,
    mended: false,
  };
}
