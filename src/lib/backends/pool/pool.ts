import type { AptRepository } from "../apt-repository.ts";

/**
 * Keeps the PPAs of the pool as signed apt repositories. Every method can be killed at any instant
 * and called again with the same arguments; the result is the same. The signal ends the tools it has
 * started, and its own waiting for another process.
 */
export interface Pool {
  /** Makes the PPA's repository, empty, for that series. What it held before is gone. */
  reset(
    ppa: string,
    series: string,
    signal?: AbortSignal,
  ): Promise<AptRepository>;
  /**
   * Adds packages to a PPA and publishes it. Adding what it holds already changes nothing.
   *
   * @param files absolute paths of .dsc (their files beside them), .deb, .udeb and .ddeb files
   */
  add(
    ppa: string,
    series: string,
    files: readonly string[],
    signal?: AbortSignal,
  ): Promise<void>;
  /** Removes a PPA's contents. */
  clear(ppa: string): Promise<void>;
  repository(ppa: string, series: string): Promise<AptRepository>;
  /** Whether clients find a repository of that PPA, empty or not. */
  has(ppa: string): Promise<boolean>;
  /** Names of all PPAs that anything is kept of, known to the state or not. */
  list(): Promise<readonly string[]>;
}
