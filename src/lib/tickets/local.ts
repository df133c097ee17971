import { mkdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { containerName } from "../backends/store/store.ts";
import type { Problem } from "../domain/error.ts";
import { refused, refusedWith } from "../domain/error.ts";
import type { Ticket } from "../domain/ticket.ts";
import type { Config } from "../host/config.ts";
import { crashPoint } from "../host/crash-point.ts";
import { makeOwnFolder } from "../host/own-folder.ts";
import type { StatePaths } from "../host/paths.ts";
import type { Connection } from "../state/database.ts";
import { archiveVersion, ticketInFlight } from "../state/publications.ts";
import type { TicketChange } from "../state/tickets.ts";
import {
  findTicket,
  insertTicket,
  listTickets,
  updateTicket,
} from "../state/tickets.ts";
import type { AdmissionPolicy, AdmittedUpload } from "./admission.ts";
import { knownSeries } from "./known-series.ts";
import type {
  CreateRequest,
  ListRequest,
  TicketSystem,
  UpdateRequest,
} from "./ticket-system.ts";

/** What the local ticket system stands on. */
export interface LocalState {
  readonly db: Connection;
  readonly paths: StatePaths;
  readonly config: Config;
  readonly actor: string;
}

const mebibyte = 1024 * 1024;

/** The ticket system of this machine's own state folder. */
export function localTicketSystem(state: LocalState): TicketSystem {
  const { db, paths, config, actor } = state;
  const get = async (id: number): Promise<Ticket> => {
    const ticket = findTicket(db, id, paths.store);
    if (ticket === undefined)
      throw refused(
        `there is no ticket ${id}`,
        "`ubuntu-ci status` lists them",
      );
    const [found = ticket] = await withExpected([ticket]);
    return found;
  };

  async function withExpected(tickets: readonly Ticket[]): Promise<Ticket[]> {
    const open = tickets.some(
      ({ step, status }) => step.code < 999 && status !== "held",
    );
    const expected = open
      ? (await import("./expected-of.ts")).expectedOf(state)
      : undefined;
    return tickets.map((ticket) => ({
      ...ticket,
      expected: expected?.get(ticket.id) ?? null,
    }));
  }

  const policy = (series: string | null): AdmissionPolicy => ({
    knownSeries: knownSeries(paths, config),
    series,
    signatures: config.get("admission.signatures"),
    maxFileBytes: config.get("admission.maxFileMiB") * mebibyte,
    maxFiles: config.get("admission.maxFiles"),
    maxTotalBytes: config.get("admission.maxTotalMiB") * mebibyte,
    uploaders: paths.uploaders,
    archiveVersion: (of, source) => archiveVersion(db, of, source),
    inFlight: (source, version) => ticketInFlight(db, source, version),
  });

  /** Admits the uploads into a staging folder, hands them on, and leaves no staging folder behind. */
  async function admitted<T>(
    request: CreateRequest,
    use: (
      uploads: readonly AdmittedUpload[],
      bug: string | null,
      owner: string,
    ) => T,
  ): Promise<T> {
    const problems: Problem[] = [];
    const bug = request.bug === null ? null : bugUrl(request.bug, problems);
    if (request.owner !== null && !isEmail(request.owner)) {
      problems.push({
        where: "--owner",
        message: `${JSON.stringify(request.owner)} is not an email address`,
      });
    }
    checkNames("--add", request.add, problems);
    checkNames("--remove", request.remove, problems);
    if (request.title.trim() === "")
      problems.push({ where: "--title", message: "is empty" });
    if (problems.length > 0)
      throw refusedWith("the ticket was not created", problems);
    mkdirSync(paths.scratch, { recursive: true });
    const staging = makeOwnFolder(paths.scratch, "admission");
    try {
      const { admit } = await import("./admission.ts");
      const uploads = await admit(
        request.sources,
        policy(request.series),
        staging,
      );
      crashPoint("admission.staged");
      checkBinaries(request, uploads);
      const owner = request.owner ?? uploads[0]?.changedByEmail ?? "";
      if (!isEmail(owner))
        throw refused(
          "the .changes' Changed-By has no email address",
          "name the owner with --owner",
        );
      return use(uploads, bug, owner);
    } finally {
      rmSync(staging, { recursive: true, force: true });
    }
  }

  return {
    get,

    async explain(id) {
      const { explain } = await import("../domain/explain.ts");
      const { situationOf } = await import("./situation.ts");
      return explain(situationOf(state, await get(id)));
    },

    list: (request: ListRequest) =>
      withExpected(
        listTickets(
          db,
          {
            ...(request.step !== undefined && { step: request.step.code }),
            ...(request.owner !== undefined && { owner: request.owner }),
            ...(request.open !== undefined && { open: request.open }),
          },
          paths.store,
        ),
      ),

    planCreate: (request) =>
      admitted(request, (uploads, bug, owner) => [
        `ticket "${request.title}" of ${owner} for ${uploads[0]?.series ?? ""}${bug === null ? "" : `, bug ${bug}`}`,
        ...uploads.flatMap(({ source, version, files }) => [
          `source package ${source} ${version}`,
          ...files.map(({ name, size }) => `store ${name}, ${size} bytes`),
        ]),
        request.wait ? "left unqueued" : "queued",
      ]),

    async create(request) {
      const id = await admitted(request, (uploads, bug, owner) =>
        insertTicket(
          db,
          {
            title: request.title,
            description: request.description,
            owner,
            bug,
            series: uploads[0]?.series ?? "",
            priority: request.priority,
            held: request.wait,
            add: request.add,
            remove: request.remove,
            base_image: request.baseImage,
            uploads: uploads.map((upload) => ({
              ...upload,
              dsc: upload.dscName,
            })),
          },
          actor,
          () => checkAgain(db, uploads),
          (ticket, subtickets) =>
            placeFiles(paths, uploads, ticket, subtickets),
        ),
      );
      crashPoint("ticket.created");
      return get(id);
    },

    async planUpdate(id, request) {
      const change = changeOf(request);
      checkChangeable(await get(id), request);
      const actions = Object.entries(change).map(
        ([field, value]) =>
          `set ${field} to ${Array.isArray(value) ? value.join(", ") : value}`,
      );
      return { ticket: id, command: "update_ticket", actions };
    },

    async update(id, request) {
      const change = changeOf(request);
      db.transaction(() => {
        const ticket = findTicket(db, id, paths.store);
        if (ticket === undefined)
          throw refused(
            `there is no ticket ${id}`,
            "`ubuntu-ci status` lists them",
          );
        checkChangeable(ticket, request);
        updateTicket(db, id, change, actor);
      }).immediate();
      return get(id);
    },

    async fetchArtifact(artifact, destination) {
      const { localStore } = await import("../backends/store/local-store.ts");
      const container = basename(dirname(artifact.path));
      await localStore(paths.store).getFile(
        container,
        artifact.name,
        destination,
        artifact.sha256,
      );
    },

    close: () => db.close(),
  };
}

/** Between admission and the write another ticket may have come: checked again inside the transaction. */
function checkAgain(db: Connection, uploads: readonly AdmittedUpload[]): void {
  for (const { source, version } of uploads) {
    const other = ticketInFlight(db, source, version);
    if (other !== null)
      throw refused(
        `${source} ${version} is in flight already, as ticket ${other}`,
      );
  }
}

function placeFiles(
  paths: StatePaths,
  uploads: readonly AdmittedUpload[],
  ticket: number,
  subtickets: readonly number[],
) {
  const container = containerName(`ticket.${ticket}`);
  const folder = join(paths.store, container);
  // A predecessor killed before its commit may have left files under this number.
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return uploads.flatMap((upload, index) =>
    upload.files.map(({ name, path, size, sha256 }) => {
      renameSync(path, join(folder, name));
      crashPoint("ticket.file-placed");
      return {
        name,
        type: "SPU" as const,
        container,
        size,
        sha256,
        subticket: subtickets[index] ?? null,
      };
    }),
  );
}

function checkNames(
  option: string,
  names: readonly string[],
  problems: Problem[],
): void {
  for (const name of names) {
    if (!/^[a-z0-9][a-z0-9+.-]+$/.test(name)) {
      problems.push({
        where: option,
        message: `${JSON.stringify(name)} is not the name of a binary package`,
      });
    }
  }
}

/** A name that is both added and removed, or removed though it is what the ticket builds, is a mistake worth naming. */
function checkBinaries(
  request: CreateRequest,
  uploads: readonly AdmittedUpload[],
): void {
  const both = request.add.filter((name) => request.remove.includes(name));
  if (both.length > 0) {
    throw refusedWith(
      "the ticket was not created",
      both.map((name) => ({
        where: "--add",
        message: `${name} is named by --remove too`,
      })),
    );
  }
  if (uploads.length === 0)
    throw refused(
      "a ticket needs at least one source package",
      "name a .changes file with --sources",
    );
}

function isEmail(text: string): boolean {
  return /^[^\s@<>]+@[^\s@<>]+$/.test(text);
}

/** A bug as a URL: a number is one of Launchpad's, a URL stays. */
function bugUrl(text: string, problems: Problem[]): string | null {
  if (/^[1-9][0-9]*$/.test(text))
    return `https://bugs.launchpad.net/bugs/${text}`;
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol))
    return text;
  problems.push({
    where: "--bug",
    message: `${JSON.stringify(text)} is neither a number nor an http(s) URL`,
  });
  return null;
}

function changeOf(request: UpdateRequest): TicketChange {
  const problems: Problem[] = [];
  if (request.owner !== undefined && !isEmail(request.owner)) {
    problems.push({
      where: "--owner",
      message: `${JSON.stringify(request.owner)} is not an email address`,
    });
  }
  if (request.title?.trim() === "")
    problems.push({ where: "--title", message: "is empty" });
  checkNames("--add", request.add ?? [], problems);
  checkNames("--remove", request.remove ?? [], problems);
  const bug =
    request.bug === undefined ? undefined : bugUrl(request.bug, problems);
  if (problems.length > 0)
    throw refusedWith("the ticket was not changed", problems);
  const { title, description, owner, add, remove, priority, hold } = request;
  return {
    ...(title !== undefined && { title }),
    ...(description !== undefined && { description }),
    ...(bug !== undefined && { bug }),
    ...(owner !== undefined && { owner }),
    ...(add !== undefined && { add }),
    ...(remove !== undefined && { remove }),
    ...(priority !== undefined && { priority }),
    ...(hold !== undefined && {
      status: hold ? ("held" as const) : ("waiting" as const),
    }),
  };
}

/** Words about a ticket may change at any time; what it does only before it has started. */
function checkChangeable(ticket: Ticket, request: UpdateRequest): void {
  const late = (["add", "remove", "priority", "hold"] as const).filter(
    (key) => request[key] !== undefined,
  );
  const started =
    ticket.step.code !== 100 ||
    ticket.status === "running" ||
    ticket.ppa !== null;
  if (late.length > 0 && started) {
    throw refused(
      `ticket ${ticket.id} has started (${ticket.step.name}): ${late.join(", ")} cannot change any more`,
      "title, description, bug and owner can",
    );
  }
}
