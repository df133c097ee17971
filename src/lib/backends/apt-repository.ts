/** A signed apt repository that a session or a client uses: a PPA, or the archive. */
export interface AptRepository {
  /** `ci_pool-001`, or `archive`. */
  readonly name: string;
  /** Absolute path of its public tree (dists/, pool/). */
  readonly root: string;
  /** Its distribution in dists/: the series. */
  readonly suite: string;
  readonly component: "main";
  /** ASCII-armoured public key that signs it. */
  readonly signingKey: string;
}
