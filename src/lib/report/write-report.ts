import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import {
  isDownload,
  packageFolder,
  publishedNames,
} from "../domain/published-name.ts";
import { shownJson } from "../domain/shown-text.ts";
import type { FileRef, Ticket } from "../domain/ticket.ts";
import { hasEnded } from "../domain/step.ts";
import { isUnfinished } from "../files/atomic-file.ts";
import { ifExists } from "../files/optional-file.ts";
import { childPath, programRoot } from "../host/paths.ts";
import {
  linkOrCopyPublicly,
  makePublicFolder,
  writePublicFile,
} from "../files/public-files.ts";
import type {
  ReportInput,
  ReportPages,
  TicketSources,
} from "./report-input.ts";
import { failureTail } from "./failure-tail.ts";
import { htmlTemplates } from "./templates.ts";
import * as view from "./view-model.ts";

/** The result of writing a report. */
export interface WrittenReport {
  readonly index: string;
  readonly written: number;
  readonly unchanged: number;
}

/**
 * Writes the static site: index, tickets/N/, ended/FROM-TO/, packages/SOURCE/, landings/, health/, with
 * JSON beside each page. Unchanged pages are not rewritten, and obsolete ones are removed. Most pages do
 * not contain the time they were made, so that rsync transfers nothing if nothing else changed.
 *
 * @param pages the tickets, ranges and source packages that may have changed
 * @throws the signal's reason when it was aborted, between two files
 */
export async function writeReport(
  input: ReportInput,
  pages: ReportPages,
  { pathOf, documentOf }: TicketSources,
  output: string,
  signal?: AbortSignal,
): Promise<WrittenReport> {
  const eta = htmlTemplates();
  let written = 0;
  let unchanged = 0;
  const write = async (path: string, text: string) => {
    signal?.throwIfAborted();
    const file = join(output, path);
    if ((await ifExists(readFile(file, "utf8"))) === text) {
      unchanged += 1;
      return;
    }
    await writePublicFile(file, text);
    written += 1;
  };
  const page = async (
    folder: string,
    template: string,
    title: string,
    data: object,
    json: unknown,
  ) => {
    const root =
      folder === ""
        ? "."
        : folder
            .split("/")
            .map(() => "..")
            .join("/");
    await removeUnfinished(join(output, folder));
    const common = {
      ...view,
      packageFolder,
      isDownload,
      input,
      root,
      title,
      ...data,
    };
    const body = await eta.renderAsync(template, common);
    await write(
      join(folder, "index.html"),
      await eta.renderAsync("page", { ...common, body }),
    );
    await write(join(folder, "index.json"), `${shownJson(json, 2)}\n`);
  };
  await write(
    "style.css",
    await readFile(join(programRoot, "templates/style.css"), "utf8"),
  );
  // Tickets in the JSON beside a page; files that are in the report have URLs relative to that page.
  const documents = (tickets: readonly Ticket[], root: string) =>
    tickets.map((ticket) => {
      const urls = fileUrls(ticket, `${root}tickets/${ticket.id}/`);
      return documentOf(ticket, ({ name }) => urls.get(name) ?? null);
    });
  const there = {
    tickets: new Set<string>(),
    ended: new Set<string>(),
    packages: new Set(["index.html", "index.json"]),
  };
  for (const ticket of pages.tickets) {
    const folder = `tickets/${ticket.id}`;
    const urls = fileUrls(ticket, "");
    await placeArtifacts(ticket, join(output, folder, "files"), pathOf);
    const data = {
      ticket,
      urls,
      everyTime: !hasEnded(ticket.step.code),
      steps: view.timeline(ticket),
      tail: await failureTail(ticket, pathOf),
    };
    await page(folder, "ticket", `Ticket ${ticket.id}: ${ticket.title}`, data, {
      ticket: documentOf(ticket, ({ name }) => urls.get(name) ?? null),
    });
    there.tickets.add(String(ticket.id));
  }
  for (const { from, to, tickets } of pages.ranges) {
    const folder = view.rangeFolder({ from, to });
    const title = `Ended tickets ${from} to ${to}`;
    await page(
      `ended/${folder}`,
      "ended",
      title,
      { tickets },
      { tickets: documents(tickets, "../../") },
    );
    there.ended.add(folder);
  }
  for (const { source, history } of pages.packages) {
    const name = packageFolder(source);
    const json = { source, history };
    await page(`packages/${name}`, "package", source, json, json);
    there.packages.add(name);
  }
  const { open, ended, ended_ranges, packages } = input;
  const tickets = [...open, ...ended].sort((one, other) => one.id - other.id);
  // These pages are written every time, and so may show temporary conditions: maintenance, warnings.
  const now = { everyTime: true };
  await page("", "tickets", "Tickets", now, {
    tickets: documents(tickets, ""),
    ended_ranges,
  });
  await page("packages", "packages", "Packages", now, { packages });
  const { revisions } = input;
  await page("landings", "landings", "Landings", now, { revisions });
  const { ppas, locks, maintenance, held_back, warnings } = input;
  await page("health", "health", "Health", now, {
    ppas,
    locks,
    maintenance,
    held_back,
    warnings,
  });
  if (pages.all)
    for (const [folder, names] of Object.entries(there))
      await removeOthers(join(output, folder), names);
  return { index: join(output, "index.html"), written, unchanged };
}

/**
 * URLs of the files that are published with a ticket, by the artifact's name.
 *
 * @param to prefix that leads to the folder of the ticket's page
 */
function fileUrls(ticket: Ticket, to: string): ReadonlyMap<string, string> {
  const names = publishedNames(
    view.shownArtifacts(ticket).map(({ name }) => name),
  );
  return new Map(
    [...names].map(([name, published]) => [
      name,
      `${to}files/${encodeURIComponent(published)}`,
    ]),
  );
}

/** Puts a ticket's files beside its page, as hard links where possible, which take no space. */
async function placeArtifacts(
  ticket: Ticket,
  folder: string,
  pathOf: (at: FileRef) => string,
): Promise<void> {
  const shown = view.shownArtifacts(ticket);
  const names = publishedNames(shown.map(({ name }) => name));
  // A file that expired in the data store would still take up space through its link here.
  await removeOthers(folder, new Set(names.values()));
  if (shown.length === 0) return;
  makePublicFolder(folder);
  for (const artifact of shown) {
    const path = pathOf(artifact);
    const place = childPath(folder, names.get(artifact.name) ?? "");
    const [there, original] = await Promise.all([
      ifExists(stat(place)),
      ifExists(stat(path)),
    ]);
    if (
      original === undefined ||
      (there?.ino === original.ino && there.dev === original.dev)
    )
      continue;
    if (
      there !== undefined &&
      there.size === original.size &&
      there.mtimeMs >= original.mtimeMs
    )
      continue;
    await rm(place, { force: true });
    // On another file system, or for another user's file, a copy is made.
    await linkOrCopyPublicly(path, place);
  }
}

/** Removes temporary files of a report that was killed. No other report writes at the same time. */
async function removeUnfinished(folder: string): Promise<void> {
  const names = (await ifExists(readdir(folder))) ?? [];
  for (const name of names)
    if (isUnfinished(name)) await rm(join(folder, name), { force: true });
}

async function removeOthers(
  folder: string,
  wanted: ReadonlySet<string>,
): Promise<void> {
  const names = (await ifExists(readdir(folder))) ?? [];
  for (const name of names) {
    if (!wanted.has(name))
      await rm(join(folder, name), { recursive: true, force: true });
  }
}
