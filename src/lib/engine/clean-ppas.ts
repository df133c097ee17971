import { crashPoint } from "../host/crash-point.ts";
import { finishCleaning, listPpas, startCleaning } from "../state/ppas.ts";
import type { Engine } from "./engine.ts";

/** Empties the PPAs that were given back; they are free afterwards. Returns their names. */
export async function cleanPpas({
  db,
  actor,
  backends,
}: Pick<Engine, "db" | "actor" | "backends">): Promise<string[]> {
  if (
    !listPpas(db).some(({ state }) => state === "dirty" || state === "cleaning")
  )
    return [];
  const cleaned: string[] = [];
  const archive = await backends.archive();
  for (const { name } of startCleaning(db, actor)) {
    crashPoint("ppa.cleaning");
    await archive.clearPpa(name);
    crashPoint("ppa.emptied");
    finishCleaning(db, name, actor);
    crashPoint("ppa.freed");
    cleaned.push(name);
  }
  return cleaned;
}
