import { mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

import { buildOrderAmong, circleInWords } from "../debian/build-order.ts";
import { binariesOn } from "../debian/dsc.ts";
import { thereIn } from "../debian/package-index.ts";
import { availablePackages } from "../backends/available-packages.ts";
import { archiveOf } from "../backends/kinds.ts";
import { olderThanDistribution } from "../steps/approvals.ts";
import { allowingThat } from "../domain/override.ts";
import { setTicketAside } from "../state/set-aside.ts";
import type { Distribution } from "../backends/distribution/distribution.ts";
import type { Store, Stored } from "../backends/store/store.ts";
import { isLocal, ticketContainer } from "../backends/store/store.ts";
import type { Problem } from "../domain/error.ts";
import { Damage, refused } from "../domain/error.ts";
import { isMailAddress } from "../domain/mailbox.ts";
import { syncPath } from "../files/atomic-file.ts";
import { crashPoint } from "../files/crash-point.ts";
import { makeOwnFolder } from "../files/own-folder.ts";
import { machineArchitecture } from "../host/architecture.ts";
import { exclusively } from "../locks/exclusively.ts";
import { now } from "../host/clock.ts";
import type { Connection } from "../state/database.ts";
import { recordEvent } from "../state/events.ts";
import {
  archiveVersion,
  otherFileInFlight,
  ticketInFlight,
} from "../state/publications.ts";
import { insertTicket, nextTicketId } from "../state/ticket-changes.ts";
import type { AdmissionPolicy, AdmittedUpload } from "./admission/policy.ts";
import { admit } from "./admission/admission.ts";
import { archived } from "./archived.ts";
import { checkImageWishes } from "./image-wishes.ts";
import { creationLock } from "./creation-lock.ts";
import { bugUrl, checkNames, checkWords } from "./request-words.ts";
import { requireUploaders } from "./recorded-uploaders.ts";
import { knownSeries } from "./known-series.ts";
import type { LocalState } from "./local-state.ts";
import type { CreateRequest } from "./ticket-system.ts";

const mebibyte = 1024 * 1024;

/** The state, with what tells which versions the distribution has. */
type CreatingState = LocalState & {
  readonly distribution: () => Promise<Distribution>;
};

/** Why the ticket would need an approval: a version below the distribution's own. */
const olderThanTheirs = async (
  { distribution }: CreatingState,
  uploads: readonly AdmittedUpload[],
) =>
  olderThanDistribution(
    await distribution(),
    uploads[0]?.series ?? "",
    uploads,
  );

/**
 * Admits the uploads and writes the ticket; returns its number.
 *
 * @throws UbuntuCiError (2) with every problem, and nothing is left behind
 */
export async function createTicket(
  state: CreatingState,
  request: CreateRequest,
): Promise<number> {
  const { db, paths, actor } = state;
  const store = await state.store();
  return admitted(state, request, async (uploads, bug, owner) => {
    const older = await olderThanTheirs(state, uploads);
    return exclusively(creationLock(paths), async () => {
      const id = nextTicketId(db);
      const container = ticketContainer(id);
      await setAsideContainer(state, store, container);
      try {
        const files = await placeFiles(store, container, uploads);
        const ticket = {
          title: request.title,
          description: request.description,
          owner,
          bug,
          series: uploads[0]?.series ?? "",
          priority: request.priority,
          eta: request.eta,
          draft: request.wait,
          add: request.add,
          remove: request.remove,
          base_image: request.baseImage,
          uploads: uploads.map((upload, index) => ({
            ...upload,
            dsc: upload.dscName,
            files: files[index] ?? [],
          })),
        };
        db.transaction(() => {
          insertTicket(db, id, ticket, actor, () => checkAgain(db, uploads));
          if (older === undefined) return;
          const why = {
            needs: "approval",
            reason: older,
            remedy: allowingThat({ id }, "older"),
            run: null,
          } as const;
          setTicketAside(db, id, why, actor);
        }).immediate();
      } catch (thrown) {
        // A commit that failed may have come through after all.
        if (nextTicketId(db) === id) await emptyContainer(store, container);
        throw thrown;
      }
      return id;
    });
  });
}

/** What createTicket would write, having checked all that it checks. */
export async function planCreateTicket(
  state: CreatingState,
  request: CreateRequest,
): Promise<string[]> {
  const { add, remove, baseImage, priority, eta } = request;
  const write = (
    uploads: readonly AdmittedUpload[],
    bug: string | null,
    owner: string,
  ) => [
    `ticket "${request.title}" of ${owner} for ${uploads[0]?.series ?? ""}${bug === null ? "" : `, bug ${bug}`}`,
    ...uploads.flatMap(({ source, version, files }) => [
      `source package ${source} ${version}`,
      ...files.map(({ name, size }) => `store ${name}, ${size} bytes`),
    ]),
    ...(eta === null ? [] : [`expected by its owner: ${eta}`]),
    ...(baseImage === null ? [] : [`image from the base ${baseImage}`]),
    ...(add.length === 0 ? [] : [`add ${add.join(", ")} to the image`]),
    ...(remove.length === 0
      ? []
      : [`remove ${remove.join(", ")} from the image`]),
    `${request.wait ? "left unqueued" : "queued"}${priority === 0 ? "" : `, with priority ${priority}`}`,
  ];
  return admitted(state, request, async (uploads, bug, owner) => {
    const older = await olderThanTheirs(state, uploads);
    return [
      ...write(uploads, bug, owner),
      ...(older === undefined
        ? []
        : [`set aside until somebody allows it: ${older}`]),
    ];
  });
}

function policyOf(
  { db, paths, config }: LocalState,
  series: string | null,
): AdmissionPolicy {
  return {
    knownSeries: knownSeries(paths, config),
    series,
    signatures: config.get("admission.signatures"),
    maxFileBytes: config.get("admission.maxFileMiB") * mebibyte,
    maxFiles: config.get("admission.maxFiles"),
    maxTotalBytes: config.get("admission.maxTotalMiB") * mebibyte,
    uploaders: paths.uploaders,
    suites: config.get("admission.suites"),
    architecture: machineArchitecture(),
    ...archived({ paths, config }),
    archiveVersion: (of, source) => archiveVersion(db, of, source),
    inFlight: (source, version) => ticketInFlight(db, source, version),
    otherFileInFlight: (dsc, file) => otherFileInFlight(db, dsc, file),
  };
}

/** Admits the uploads into a staging folder, hands them on, and leaves no staging folder behind. */
async function admitted<T>(
  state: LocalState,
  request: CreateRequest,
  use: (
    uploads: readonly AdmittedUpload[],
    bug: string | null,
    owner: string,
  ) => T | Promise<T>,
): Promise<T> {
  requireUploaders(state.db, state.paths);
  const { scratch } = state.paths;
  const problems: Problem[] = [];
  const bug = request.bug === null ? null : bugUrl(request.bug, problems);
  checkWords(request, problems);
  checkNames("--add", request.add, problems);
  checkNames("--remove", request.remove, problems);
  mkdirSync(scratch, { recursive: true });
  const staging = makeOwnFolder(scratch, "admission");
  try {
    const uploads = await admit(
      request.sources,
      policyOf(state, request.series),
      staging,
      async (found, all) => {
        all.unshift(...problems);
        const architecture = machineArchitecture();
        const [first] = found;
        const series = first?.series ?? null;
        const own = found.flatMap(({ dsc }) => binariesOn(dsc, architecture));
        await checkImageWishes(state, request, series, own, all);
        await checkOrder(state, found, all);
        if (request.owner === null && first !== undefined)
          checkOwner(first, all);
      },
    );
    crashPoint("admission.staged");
    const owner = request.owner ?? uploads[0]?.changedByEmail ?? "";
    return await use(uploads, bug, owner);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** Without --owner, the ticket is whose name stands in the upload. */
function checkOwner(
  { changedByEmail, changesName }: AdmittedUpload,
  problems: Problem[],
): void {
  if (isMailAddress(changedByEmail)) return;
  problems.push({
    where: changesName,
    field: "Changed-By",
    message: "has no email address: name the owner with --owner",
  });
}

/** Sources that build-depend on each other can only be built with packages that are there already. */
async function checkOrder(
  { paths, config }: LocalState,
  uploads: readonly AdmittedUpload[],
  problems: Problem[],
): Promise<void> {
  const architecture = machineArchitecture();
  const packages = uploads.map(({ dsc }) => ({
    ...dsc,
    binaries: binariesOn(dsc, architecture),
  }));
  const series = uploads[0]?.series ?? "";
  const { circles } = await buildOrderAmong(
    packages,
    architecture,
    async (names) => {
      const archive = await archiveOf(config).open(paths, config);
      return thereIn(
        (await availablePackages(paths, archive, series, names)).found,
      );
    },
  );
  for (const circle of circles) {
    const first = circle[0]?.source;
    problems.push({
      where: uploads.find(({ source }) => source === first)?.dscName ?? "",
      field: "Build-Depends",
      message: `goes in a circle, none of which is there without it: ${circleInWords(circle)}`,
    });
  }
}

/** Between admission and the write another ticket may have come: checked again inside the transaction. */
function checkAgain(db: Connection, uploads: readonly AdmittedUpload[]): void {
  for (const { source, version, dsc } of uploads) {
    const other = ticketInFlight(db, source, version);
    if (other !== null)
      throw refused(
        `${source} ${version} is in flight already, as ticket ${other}`,
      );
    for (const file of dsc.files) {
      const taken = otherFileInFlight(db, dsc, file);
      if (taken !== null)
        throw refused(
          `${file.name} is in ticket ${taken.ticket}, which is in flight, with other contents`,
        );
    }
  }
}

/**
 * Files under a number that is still to be given out are a killed predecessor's, or those of a ticket
 * that the state has lost: they are moved away, never removed.
 */
async function setAsideContainer(
  { db, paths, actor }: LocalState,
  store: Store,
  container: string,
): Promise<void> {
  const first = await store.list(container)[Symbol.asyncIterator]().next();
  if (first.done === true) return;
  if (!isLocal(store))
    throw new Damage(`${container} of the data store has files of no ticket`);
  const aside = join(
    paths.setAside,
    `create_ticket-${now().replaceAll(":", "-")}`,
    "store",
  );
  mkdirSync(aside, { recursive: true, mode: 0o700 });
  renameSync(store.folderOf(container), join(aside, container));
  recordEvent(db, {
    actor,
    subject: "state",
    subject_id: container,
    what: "set aside",
    why: `no ticket had its files; they are in ${aside}`,
  });
}

/** Removes what this process has put there. */
async function emptyContainer(store: Store, container: string): Promise<void> {
  for await (const file of store.list(container)) await store.remove(file);
}

/** Puts the files of each upload into the data store. */
async function placeFiles(
  store: Store,
  container: string,
  uploads: readonly AdmittedUpload[],
): Promise<Stored[][]> {
  const placed: Stored[][] = [];
  for (const { files } of uploads) {
    const mine: Stored[] = [];
    for (const { name, path } of files) {
      mine.push(await store.put({ container, name }, path));
      crashPoint("ticket.file-placed");
    }
    placed.push(mine);
  }
  // A container that a killed predecessor made may not have been flushed.
  if (isLocal(store)) await syncPath(store.root);
  crashPoint("ticket.placed");
  return placed;
}
