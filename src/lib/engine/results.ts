import { rm, stat } from "node:fs/promises";

import { ticketContainer } from "../backends/store/store.ts";
import { compressedName, uncompressedName } from "../domain/compressed-name.ts";
import { notNow } from "../domain/error.ts";
import type { FileRef } from "../domain/ticket.ts";
import { crashPoint } from "../files/crash-point.ts";
import { gzipFile } from "../files/gzip-file.ts";
import type { NewArtifact } from "../state/artifacts.ts";
import { artifactPlaces } from "../state/artifacts.ts";
import type { Lease } from "../state/leases.ts";
import { renewLease } from "../state/leases.ts";
import type { RunEnd } from "../state/run-products.ts";
import { forgetArtifacts } from "../state/run-products.ts";
import type { Done, StepFile } from "../steps/step-definition.ts";
import type { Engine } from "./engine.ts";

/** Moves the files of a result into the data store and returns what to record. */
export async function endOf(
  { store, db }: Engine,
  lease: Lease,
  result: Done,
): Promise<RunEnd> {
  const artifacts: NewArtifact[] = [];
  const packed = await Promise.all(
    result.files.map((file) => compressed(file, lease.attempt)),
  );
  const names = new Map(
    result.files.map((file, at) => [file.name, packed[at]?.name ?? ""]),
  );
  // An earlier run of this attempt may have kept the same log, compressed or not.
  const obsolete = packed.flatMap(({ name }) => [
    ...new Set([name, uncompressedName(name), compressedName(name)]),
  ]);
  if (!forgetArtifacts(db, lease, obsolete)) throw leaseLost();
  for (const file of packed) {
    const container = ticketContainer(lease.ticket, file.component);
    const { name } = file;
    // Another process has the ticket now, and may store files under these names.
    if (!renewLease(db, lease.run)) throw leaseLost();
    const stored = await store.put({ container, name }, file.path);
    const { type, subticket } = file;
    artifacts.push({ ...stored, type, subticket });
  }
  crashPoint("run.files-stored");
  return {
    outcome: result.outcome,
    reason: result.reason,
    evidence:
      result.evidence == null ? null : (names.get(result.evidence) ?? null),
    artifacts,
    ...(result.tests !== undefined && { tests: result.tests }),
    ...(result.findings !== undefined && { findings: result.findings }),
    ...(result.needs !== undefined && {
      setAside: "approval",
      remedy: result.needs,
    }),
    ...(result.image !== undefined && {
      image: {
        layers: result.image.layers,
        digest: result.image.digest,
        manifest: JSON.stringify(result.image.manifest),
      },
    }),
    ...(result.base !== undefined && { base: result.base }),
    ...(result.published !== undefined && { published: result.published }),
    ...(result.stages !== undefined && { stages: result.stages }),
    ...(result.jobEnded === true && { job: "ended" }),
  };
}

const leaseLost = () => notNow("another process has taken over this run");

/** Numbers the logs of later attempts, so that the first failure stays readable. */
function keptName(file: StepFile, attempt: number): string {
  if (file.type !== "LOGS" || attempt === 1) return file.name;
  return file.name.replace(/(\.log)?$/, `.attempt${attempt}$1`);
}

/** Bytes from which on a log is kept compressed: shorter ones any web server shows as they are. */
const longLog = 256 * 1024;

/** The file under the name that it is kept by; a long log as a compressed copy. */
async function compressed(file: StepFile, attempt: number): Promise<StepFile> {
  const name = keptName(file, attempt);
  if (!name.endsWith(".log") || (await stat(file.path)).size < longLog)
    return { ...file, name };
  const path = compressedName(file.path);
  await rm(path, { force: true });
  await gzipFile(file.path, path);
  return { ...file, name: compressedName(name), path };
}

/**
 * Removes files from a ticket's containers that no row names and this run has not stored: leftovers of
 * killed or failed runs. Only safe while holding the lease, since another run may store files before it
 * records them.
 */
export async function tidyContainers(
  { store, db }: Pick<Engine, "store" | "db">,
  { run, ticket }: Pick<Lease, "run" | "ticket">,
  stored: readonly FileRef[] = [],
): Promise<void> {
  const kept = [...artifactPlaces(db, ticket), ...stored];
  for (const component of [undefined, "test-runner"] as const) {
    const container = ticketContainer(ticket, component);
    const mine = kept.filter((file) => file.container === container);
    const names = new Set(mine.map(({ name }) => name));
    for await (const file of store.list(container)) {
      if (names.has(file.name)) continue;
      // Another process has the ticket now.
      if (!renewLease(db, run)) return;
      await store.remove(file);
    }
  }
  crashPoint("run.tidied");
}
