import type { Connection } from "./database.ts";

/** The image of a ticket as build-image recorded it, or null. */
export function imageOf(
  db: Connection,
  ticket: number,
): { layers: string[]; digest: string; manifest: string } | null {
  const row = db
    .prepare<[number], { layers: string; digest: string; manifest: string }>(
      "SELECT layers, digest, manifest FROM image WHERE ticket = ?",
    )
    .get(ticket);
  return row === undefined
    ? null
    : { ...row, layers: JSON.parse(row.layers) as string[] };
}

/** Records the image of a ticket, replacing an earlier one. */
export function recordImage(
  db: Connection,
  ticket: number,
  image: {
    readonly layers: readonly string[];
    readonly digest: string;
    readonly manifest: string;
  },
): void {
  db.prepare(
    "INSERT OR REPLACE INTO image (ticket, layers, digest, manifest) VALUES (?, ?, ?, ?)",
  ).run(ticket, JSON.stringify(image.layers), image.digest, image.manifest);
}
