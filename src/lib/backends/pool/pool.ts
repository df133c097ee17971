import type { AptRepository } from "../apt-repository.ts";

/**
 * Keeps the PPAs of the pool as signed apt repositories. Every method can be killed at any instant and
 * repeated with the same arguments and result. The signal stops the tools it runs and its waiting for
 * locks.
 */
export interface Pool {
  /** Makes an empty repository of the PPA for that series, in place of what it held. */
  reset(
    ppa: string,
    series: string,
    signal?: AbortSignal,
  ): Promise<AptRepository>;
  /**
   * Adds packages to a PPA and publishes it. Packages that it already holds change nothing.
   *
   * @param files absolute paths of .dsc (their files beside them), .deb, .udeb and .ddeb files
   */
  add(
    ppa: string,
    series: string,
    files: readonly string[],
    signal?: AbortSignal,
  ): Promise<void>;
  /** Signs all PPAs anew, with the keys that sign now. */
  resign(): Promise<void>;
  /** Removes a PPA's contents. */
  clear(ppa: string): Promise<void>;
  repository(ppa: string, series: string): Promise<AptRepository>;
  /** Whether there is a repository of that PPA, empty or not, that is not damaged. */
  has(ppa: string): Promise<boolean>;
  /** Names of all PPAs that have any files, even if the state does not know them. */
  list(): Promise<readonly string[]>;
}
