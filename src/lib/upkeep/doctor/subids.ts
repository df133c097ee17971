import type { Diagnosis } from "./diagnosis.ts";
import { bad, ok } from "./diagnosis.ts";

const needed = 65536;

/**
 * Whether a user has a range of subordinate ids that a whole system fits in (subuid(5)).
 *
 * @param text contents of the file; empty when it is not there
 */
export function subidFinding(
  file: "/etc/subuid" | "/etc/subgid",
  text: string,
  user: { readonly name: string; readonly uid: number },
): Diagnosis {
  const ranges = text
    .split("\n")
    .map((line) => line.split(":"))
    .filter((fields) => fields.length === 3)
    .map(([owner = "", start, count]) => ({
      owner,
      start: Number(start),
      count: Number(count),
    }));
  const mine = ranges.filter(
    ({ owner }) => owner === user.name || owner === String(user.uid),
  );
  const enough = mine.find(({ count }) => count >= needed);
  if (enough !== undefined)
    return ok(file, `${enough.count} ids from ${enough.start} on`);
  const end = Math.max(
    100_000,
    ...ranges.map(({ start, count }) => start + count).filter(Number.isFinite),
  );
  const option = file === "/etc/subgid" ? "--add-subgids" : "--add-subuids";
  return bad(
    file,
    mine.length === 0
      ? `${user.name} has no subordinate ids`
      : `${user.name} has no range of ${needed} subordinate ids`,
    `as root: usermod ${option} ${end}-${end + needed - 1} ${user.name}`,
  );
}
