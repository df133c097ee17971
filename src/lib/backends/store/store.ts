import type { FileRef } from "../../domain/ticket.ts";

/** A file in the data store: size in bytes, sha256 in hex. */
export interface Stored extends FileRef {
  readonly size: number;
  readonly sha256: string;
}

export type Visibility = "public" | "private";

/**
 * Where artifacts and other files are kept permanently, in containers such as `ticket.1` and
 * `ticket.1.test-runner`. A container is created with its first file, is private unless that is
 * changed, and is removed with its last file. Names that would lead out of a container are refused.
 */
export interface Store {
  /**
   * Puts a file into a container, atomically, and replaces a file of that name. The store may move the
   * source file instead of copying it.
   */
  put(at: FileRef, from: string): Promise<Stored>;
  /** The files of a container, sorted by name; none when there is no such container. */
  list(container: string): AsyncIterable<FileRef>;
  /**
   * Copies a file out of the store and verifies its digest.
   *
   * @throws Damage when there is no such file, or its digest differs; the destination is unchanged then
   */
  fetch(at: FileRef, to: string, sha256: string): Promise<void>;
  /** Removes a file, if it exists. */
  remove(at: FileRef): Promise<void>;
  /** Sets who may read the files of a container, including files added later. */
  setVisibility(container: string, visibility: Visibility): Promise<void>;
  /** The URL of a file, readable if the container is public; null when the store is not served. */
  urlOf(at: FileRef): string | null;
}

/** A store in a folder of this machine, which can also tell the paths of its files. */
export interface LocalStore extends Store {
  /** The folder of all containers. */
  readonly root: string;
  /** The folder of a container, whether or not it exists. */
  folderOf(container: string): string;
  /** The path of a file, whether or not it exists; only for reading. */
  pathOf(at: FileRef): string;
}

/** Whether a store can tell the paths of its files. */
export function isLocal(store: Store): store is LocalStore {
  return "pathOf" in store;
}

/** Name of a ticket's container, `ticket.ID`, or of the one that a component has for it. */
export function ticketContainer(
  ticket: number,
  component?: "test-runner",
): string {
  const own = `ticket.${ticket}`;
  return component === undefined ? own : `${own}.${component}`;
}
