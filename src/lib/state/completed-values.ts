import type { Connection } from "./database.ts";
import { newestRevision } from "./publications.ts";
import { listPpas } from "./ppas.ts";

/** What a shell can be told of a state, to complete a word. */
export const completedKinds = ["tickets", "ppas", "revisions"] as const;

export type CompletedKind = (typeof completedKinds)[number];

/** More would help nobody to choose. */
const most = 100;

/** The values of a kind, the newest numbers first. */
export function completedValues(db: Connection, kind: CompletedKind): string[] {
  switch (kind) {
    case "tickets":
      return db
        .prepare<[number], number>(
          "SELECT id FROM ticket ORDER BY id DESC LIMIT ?",
        )
        .pluck()
        .all(most)
        .map(String);
    case "ppas":
      return listPpas(db).map(({ name }) => name);
    case "revisions": {
      const newest = newestRevision(db);
      return Array.from({ length: Math.min(most, newest + 1) }, (_, back) =>
        String(newest - back),
      );
    }
  }
}
