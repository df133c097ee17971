import type { FileRef } from "../../domain/ticket.ts";

/** A file in the data store; size in bytes, sha256 in hex. */
export interface Stored extends FileRef {
  readonly size: number;
  readonly sha256: string;
}

export type Visibility = "public" | "private";

/**
 * Where artifacts and other files are kept for good, in containers. A container is named after the
 * component that uses it and an identifier: `ticket.1`, `ticket.1.test-runner`. It is made with its
 * first file, is private until that is changed, and goes with its last file. Names are checked: none
 * reaches out of its container.
 */
export interface Store {
  /**
   * Puts a file into a container; a file of that name is replaced. The container holds all of the
   * file or none of it. The source is the store's to take: it may be gone afterwards.
   */
  put(at: FileRef, from: string): Promise<Stored>;
  /** The files of a container, by name; none when there is no such container. */
  list(container: string): AsyncIterable<FileRef>;
  /**
   * Copies a file out of the store, and checks it on the way.
   *
   * @throws UbuntuCiError (2) when there is no such file
   * @throws UbuntuCiError (75) when it is not what was stored; the destination is then untouched
   */
  fetch(at: FileRef, to: string, sha256: string): Promise<void>;
  /** Removes a file; none there is fine. */
  remove(at: FileRef): Promise<void>;
  /** Says who may read the files of a container, also those that it gets later. */
  setVisibility(container: string, visibility: Visibility): Promise<void>;
  /** The address of a file; null where the store has none. Its container's visibility says who can read it there. */
  urlOf(at: FileRef): string | null;
}

/** A store that is a folder of this machine can also show where its files are. */
export interface LocalStore extends Store {
  /** The folder of all containers. */
  readonly root: string;
  /** The folder of a container, whether it is there or not. */
  folderOf(container: string): string;
  /** Where a file is, or would be. It is there to be read, never to be written to. */
  pathOf(at: FileRef): string;
}

/** Whether a store can show where its files are. */
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
