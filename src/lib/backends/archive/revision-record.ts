import { readFile, stat, utimes } from "node:fs/promises";
import { join } from "node:path";

import { Damage } from "../../domain/error.ts";
import { namesIn } from "../../files/names-in.ts";
import { ifExists } from "../../files/optional-file.ts";
import { writePublicFile } from "../../files/public-files.ts";
import { now } from "../../host/clock.ts";
import type { RevisionRecord } from "./archive.ts";
import type { PublishedPackage } from "./index-files.ts";
import type { ListChoice, ListNames, Publications } from "./package-lists.ts";
import {
  isListNames,
  readLists,
  removeOtherLists,
  writeLists,
} from "./package-lists.ts";
import { changesSince } from "./revision-changes.ts";

/** A revision's record, and where what it publishes is kept. */
export interface StoredRecord extends RevisionRecord {
  readonly lists: ListNames;
}

/** A revision with the files of its publications. */
export interface StoredRevision extends RevisionRecord {
  readonly publications: Publications;
}

/** A record as versions wrote it that kept in it all that the revision publishes. */
type WholeRecord = Omit<StoredRevision, "changes">;

/**
 * A revision that is made now; its origin is a ticket, the older revision that it goes back to, or the one that it undoes.
 *
 * @param before what the revision before it publishes, if there is one
 */
export function newRevision(
  revision: number,
  publications: Publications,
  origin: {
    readonly ticket?: number;
    readonly reverts_to?: number;
    readonly undoes?: number;
  } = {},
  before: Publications = {},
): StoredRevision {
  return {
    revision,
    created_at: now(),
    ticket: origin.ticket ?? null,
    reverts_to: origin.reverts_to ?? null,
    ...(origin.undoes !== undefined && { undoes: origin.undoes }),
    changes: changesSince(before, publications),
    publications,
  };
}

/** A revision without what it publishes. */
export function recordOf(revision: StoredRevision): RevisionRecord {
  const { publications: _, ...record } = revision;
  return record;
}

/** The folder of a revision of the repository with that root. */
export function folderOfRevision(root: string, revision: number): string {
  return join(root, ".revisions", String(revision));
}

/** All revisions whose folders are there, ascending. */
export async function keptNumbers(root: string): Promise<number[]> {
  return (await namesIn(join(root, ".revisions")))
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

/** A kept revision without what it publishes. @throws Damage when it is missing or damaged */
export async function readRecord(
  root: string,
  revision: number,
): Promise<StoredRecord> {
  const found = await recordAsWritten(root, revision);
  if ("lists" in found) return found;
  const { publications: _, ...record } = found;
  // It has none of its own yet.
  const series = Object.keys(found.publications).map((one) => [one, {}]);
  const lists = Object.fromEntries(series) as ListNames;
  return { ...record, changes: await changesOf(root, found), lists };
}

/** A kept revision with what it publishes. @throws Damage when it is missing or damaged */
export async function readRevision(
  root: string,
  revision: number,
  choice?: ListChoice,
): Promise<StoredRevision> {
  const found = await recordAsWritten(root, revision);
  if (!("lists" in found))
    return { ...found, changes: await changesOf(root, found) };
  const { lists, ...record } = found;
  return { ...record, publications: readLists(root, lists, choice) };
}

/** Writes a revision's record into a folder, and before it what the record refers to. */
export async function writeRecord(
  root: string,
  folder: string,
  { publications, ...record }: StoredRevision,
): Promise<void> {
  const stored = { ...record, lists: await writeLists(root, publications) };
  const text = `${JSON.stringify(stored, null, 1)}\n`;
  await writePublicFile(join(folder, "revision.json"), text);
}

/**
 * Has the records of earlier versions share their lists as new ones do. The current one comes last, so
 * that it tells whether all are done.
 */
export async function shareLists(root: string, current: number): Promise<void> {
  if ("lists" in (await recordAsWritten(root, current))) return;
  for (const number of await keptNumbers(root)) {
    const found = await ifSound(recordAsWritten(root, number));
    if (found === undefined || "lists" in found) continue;
    const folder = folderOfRevision(root, number);
    const file = join(folder, "revision.json");
    // It tells when the one before it was superseded.
    const { atime, mtime } = await stat(file);
    const changes = await changesOf(root, found);
    await writeRecord(root, folder, { ...found, changes });
    await utimes(file, atime, mtime);
  }
}

/**
 * Removes the lists that no kept revision names; none as long as one cannot be read.
 *
 * @param remove what to do with each, by its path in the repository
 */
export async function removeUnneededLists(
  root: string,
  remove?: (path: string) => Promise<void>,
): Promise<void> {
  const kept: ListNames[] = [];
  for (const number of await keptNumbers(root)) {
    const record = await ifSound(recordAsWritten(root, number));
    if (record === undefined) return;
    if ("lists" in record) kept.push(record.lists);
  }
  await removeOtherLists(root, kept, remove);
}

/** What a reader finds, or undefined where it is damaged. */
export async function ifSound<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (thrown) {
    if (thrown instanceof Damage) return undefined;
    throw thrown;
  }
}

/** What a record of an earlier version changed, which it did not say. */
async function changesOf(
  root: string,
  { revision, publications }: WholeRecord,
): Promise<RevisionRecord["changes"]> {
  const number = (await keptNumbers(root))
    .filter((one) => one < revision)
    .at(-1);
  const before =
    number === undefined
      ? undefined
      : await ifSound(recordAsWritten(root, number));
  if (before === undefined) return changesSince({}, publications);
  const old =
    "lists" in before ? readLists(root, before.lists) : before.publications;
  return changesSince(old, publications);
}

/** @throws Damage when it is missing, or does not describe that revision */
async function recordAsWritten(
  root: string,
  revision: number,
): Promise<StoredRecord | WholeRecord> {
  const file = join(folderOfRevision(root, revision), "revision.json");
  const text = await ifExists(readFile(file, "utf8"));
  if (text === undefined)
    throw new Damage(`the archive is damaged: ${file} is missing`);
  const found = parsed(text);
  if (!isRecord(found, revision))
    throw new Damage(
      `the archive is damaged: ${file} does not describe revision ${revision}`,
    );
  return found;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}

/** Whether a record is what this program writes or wrote, as far as others rely on it. */
function isRecord(
  found: unknown,
  number: number,
): found is StoredRecord | WholeRecord {
  const { revision, lists, changes, publications } = (found ??
    {}) as Partial<StoredRecord> & Partial<WholeRecord>;
  if (revision !== number) return false;
  if (lists !== undefined) return isListNames(lists) && Array.isArray(changes);
  return (
    typeof publications === "object" &&
    Object.values(publications).every(
      (packages) =>
        Array.isArray(packages) &&
        packages.every(
          (one: Partial<PublishedPackage> | null) =>
            typeof one?.name === "string" &&
            typeof one.version === "string" &&
            Array.isArray(one.files),
        ),
    )
  );
}
