import type { Archive } from "../backends/archive/archive.ts";
import type { Config } from "../config/config.ts";
import { refused } from "../domain/error.ts";
import type { Plan } from "../domain/plan.ts";
import { advice, remedy } from "../domain/remedy.ts";
import type { Engine } from "../engine/engine.ts";
import { recordEvent } from "../state/events.ts";

const dayMs = 24 * 3_600_000;

/** When the older of two signing keys has signed long enough beside the newer; null where one signs alone. */
export function overlapEnds(
  rotatedAt: string | null,
  config: Config,
): string | null {
  if (rotatedAt === null) return null;
  const days = config.get("archive.keyOverlapDays");
  return new Date(Date.parse(rotatedAt) + days * dayMs).toISOString();
}

/** Plans to sign what clients see anew. */
export function planResign(config: Config): Plan {
  return {
    command: "archive",
    actions: [
      `sign the Release files that clients see anew, valid for ${config.get("archive.validDays")} days from now; no revision is made`,
    ],
  };
}

/** How a rotation of the signing key is to go on. */
export interface Rotation {
  /** Retires the older key instead of adding a new one. */
  readonly finish: boolean;
  /** Although clients have not had both for as long as the configuration says. */
  readonly force: boolean;
}

/**
 * Plans the next part of a rotation of the signing key.
 *
 * @throws UbuntuCiError (2) when that part is not due
 */
export async function planRotation(
  archive: Archive,
  config: Config,
  { finish, force }: Rotation,
): Promise<Plan> {
  const signing = await archive.signing();
  if (signing === null)
    throw refused("the archive is not signed: there is no key to rotate");
  const { signedBy, rotatedAt, unfinished } = signing;
  const [newest = "", older] = signedBy;
  const ends = overlapEnds(rotatedAt, config);
  if (!finish) {
    if (older !== undefined && !unfinished)
      throw refused(
        `two keys sign already, ${newest} and ${older}`,
        advice`${remedy("archive rotate-key", [], { finish: true })} retires the older one`,
      );
    return planOf([
      "make a new key, and sign the archive with both",
      `apt-source prints both from then on; after ${config.get("archive.keyOverlapDays")} days the older one can be retired`,
    ]);
  }
  if (older === undefined && !unfinished)
    throw refused(
      `no rotation is under way: ${newest} signs alone`,
      advice`${remedy("archive rotate-key")} begins one`,
    );
  if (ends !== null && Date.parse(ends) > Date.now() && !force)
    throw refused(
      `clients have had until ${ends} to get the new key, which came at ${rotatedAt ?? ""}`,
      advice`wait until then, or ${remedy("archive rotate-key", [], { finish: true, force: true })}: clients that have the old key alone can then use the archive no more`,
    );
  return planOf([
    `sign the archive and the PPAs with ${newest} alone`,
    `remove the private key of ${older ?? "the key before it"}`,
  ]);
}

const planOf = (actions: readonly string[]): Plan => ({
  command: "archive",
  actions,
});

/** Carries out the next part of a rotation, and records it. Killed, it can be repeated. */
export async function rotateKey(
  { db, backends, actor }: Engine,
  { finish }: Rotation,
): Promise<readonly string[]> {
  const archive = await backends.archive();
  if (finish) {
    // What is in a PPA now may have the old signature alone, and clients would take it no more.
    await (await backends.pool()).resign();
    await archive.retireKey();
  } else await archive.rotateKey();
  const { signedBy } = (await archive.signing()) ?? { signedBy: [] };
  recordEvent(db, {
    actor,
    subject: "archive",
    subject_id: "signing-key",
    what: finish ? "key retired" : "key added",
    why: `signed by ${signedBy.join(" and ")}`,
  });
  return signedBy;
}
