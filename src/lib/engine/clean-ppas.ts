import { crashPoint } from "../files/crash-point.ts";
import { exclusively, lockFile } from "../locks/exclusively.ts";
import { finishCleaning, startCleaning, toBeCleaned } from "../state/ppas.ts";
import type { Engine } from "./engine.ts";

/**
 * Empties the PPAs that were given back, which frees them; returns their names. The caller holds a lock:
 * a second process could empty a PPA that the first has freed and a ticket has taken since.
 */
export async function cleanPpas({
  db,
  actor,
  backends,
  paths,
}: Pick<Engine, "db" | "actor" | "backends" | "paths">): Promise<string[]> {
  if (toBeCleaned(db).length === 0) return [];
  return exclusively(lockFile(paths, "cleaning"), async () => {
    const cleaned: string[] = [];
    const pool = await backends.pool();
    for (const { name } of startCleaning(db, actor)) {
      crashPoint("ppa.cleaning");
      await pool.clear(name);
      crashPoint("ppa.emptied");
      finishCleaning(db, name, actor);
      crashPoint("ppa.freed");
      cleaned.push(name);
    }
    return cleaned;
  });
}
