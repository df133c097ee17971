/**
 * Runs a command in a user namespace with all of this user's subordinate ids, in which root is this
 * user (unshare(1)). Files that sessions wrote belong to those ids.
 */
export const asSubordinateRoot = [
  ...["unshare", "--user", "--map-auto", "--map-root-user"],
] as const;
