/** A binary package of the distribution. */
export interface DistributionPackage {
  readonly name: string;
  readonly version: string;
  readonly source: string;
  readonly sourceVersion: string;
  /** The Provides field, or nothing. */
  readonly provides: string;
}

/** What the distribution itself has, whose clients use the archive beside it. */
export interface Distribution {
  /**
   * The packages of a series that bear one of these names, provide it, or are built from a source of
   * that name; none where the series is not known.
   */
  find(
    series: string,
    names: ReadonlySet<string>,
  ): Promise<readonly DistributionPackage[]>;
}
