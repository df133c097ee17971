/** A file in the data store; path is absolute, size in bytes, sha256 in hex. */
export interface StoredFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

/**
 * Where artifacts and other files are kept for good, in containers. A
 * container is named after the component that uses it and an identifier: `ticket.1`,
 * `ticket.1.test-runner`. Names are checked: none reaches out of its folder.
 */
export interface Store {
  readonly name: "local";
  /**
   * Puts a file into a container, which is made if need be; a file of that name is replaced. The
   * container holds all of the file or none of it. With `move` the source is gone afterwards.
   */
  putFile(
    container: string,
    name: string,
    source: string,
    options?: { readonly move?: boolean },
  ): Promise<StoredFile>;
  /** Names of a container's files, sorted; none when there is no such container. */
  listFiles(container: string): Promise<readonly string[]>;
  /** Where a file is, or would be. */
  filePath(container: string, name: string): string;
  /**
   * Copies a file out of the store, and checks it on the way.
   *
   * @throws UbuntuCiError (2) when there is no such file
   * @throws UbuntuCiError (75) when it is not what was stored; the destination is then untouched
   */
  getFile(
    container: string,
    name: string,
    destination: string,
    sha256: string,
  ): Promise<void>;
  deleteFile(container: string, name: string): Promise<void>;
  /**
   * Removes all files of a container but these, also what killed writes left; at once, for use
   * inside a transaction.
   */
  keepOnly(container: string, names: ReadonlySet<string>): void;
  /** Removes a container with everything in it; none there is fine. */
  deleteContainer(container: string): Promise<void>;
}

/** Name of the container of a component: `COMPONENT` or `COMPONENT.IDENTIFIER`. */
export function containerName(
  component: string,
  identifier?: string | number,
): string {
  return identifier === undefined ? component : `${component}.${identifier}`;
}
