import { uncompressedName } from "../domain/compressed-name.ts";
import type { Artifact, Ticket } from "../domain/ticket.ts";
import { isDamagedGzip } from "../files/gzip-file.ts";
import { hasCode } from "../files/optional-file.ts";
import type { Wanted } from "./log-finder.ts";
import type { LogPages } from "./log-pages.ts";
import { indexText, urlOfFound, writeLogPages } from "./log-pages.ts";
import type { Site } from "./site.ts";

/** The pages of a ticket's logs; URLs are relative to the ticket's page. */
export interface TicketLogs {
  /** For the document beside the ticket's page. */
  readonly list: readonly { readonly name: string; readonly url: string }[];
  /** The first page of a log; undefined for what has none. */
  urlOf(name: string | null): string | undefined;
  /** Where a log says why something failed, else its first page. */
  urlOfReason(name: string | null, reason: string): string | undefined;
  /** Where a log has the result of a test. */
  urlOfTest(
    test: Pick<Ticket["tests"][number], "package" | "name">,
  ): string | undefined;
}

/** What is needed to write the pages of a ticket's logs. */
interface LogsOfTicket {
  readonly ticket: Ticket;
  /** The folder of the ticket's page in the report. */
  readonly folder: string;
  /** The files beside that page. */
  readonly shown: readonly Artifact[];
  /** Their names in `files/`. */
  readonly names: ReadonlyMap<string, string>;
  readonly pathOf: (artifact: Artifact) => string;
  /** Puts the body of a page of a folder in the report into the page. */
  readonly frame: (folder: string, title: string, body: string) => string;
  /** What all pages depend on besides the log. */
  readonly basis: string;
}

/** Writes the pages of a ticket's logs, and lists them in the site. */
export async function writeTicketLogs(
  site: Site,
  { ticket, folder, shown, names, pathOf, frame, basis }: LogsOfTicket,
  signal?: AbortSignal,
): Promise<TicketLogs> {
  const made = new Map<string, { url: string; pages: LogPages }>();
  for (const artifact of shown) {
    if (!isLog(artifact)) continue;
    const { name } = artifact;
    const published = names.get(name) ?? "";
    const below = `logs/${published.replace(/\.(?:txt|bin)(?:\.gz)?$/, "")}`;
    const place = `${folder}/${below}`;
    const pages = await pagesOf(
      {
        log: pathOf(artifact),
        identity: `${artifact.sha256} ${basis}`,
        name: uncompressedName(name),
        folder: site.pathOf(place),
        rawUrl: `../../files/${encodeURIComponent(published)}`,
        of: {
          title: `Ticket ${ticket.id}: ${ticket.title}`,
          url: "../../index.html",
        },
        wanted: wantedOf(ticket, name),
        frame: (title, body) => frame(place, title, body),
      },
      signal,
    );
    if (pages === undefined) continue;
    for (const { url, sha256 } of pages.pages)
      site.add(`${place}/${url}`, sha256);
    site.write(`${place}/index.json`, indexText(pages));
    const url = below.split("/").map(encodeURIComponent).join("/");
    made.set(name, { url, pages });
  }
  const urlOf = (name: string | null) => {
    const log = made.get(name ?? "");
    return log && `${log.url}/index.html`;
  };
  const urlOfText = (name: string | null, text: string) => {
    const log = made.get(name ?? "");
    const found = log && urlOfFound(log.pages, text);
    return found && `${log.url}/${found}`;
  };
  return {
    list: [...made].map(([name, { url }]) => ({
      name,
      url: `${url}/index.html`,
    })),
    urlOf,
    urlOfReason: (name, reason) => urlOfText(name, reason) ?? urlOf(name),
    urlOfTest: ({ package: source, name }) =>
      urlOfText(
        [...made.keys()].find((log) => isTestLog(log, source)) ?? null,
        name,
      ),
  };
}

const isLog = ({ type, name }: Artifact) =>
  type === "LOGS" && /\.(?:log|build)$/.test(uncompressedName(name));

/** Whether a log is that of a source package's tests. */
const isTestLog = (name: string, source: string) =>
  uncompressedName(name) === `${source}.autopkgtest.log`;

/** What is to be found in a log: why the runs failed that it is evidence of, and the results of tests. */
function wantedOf(ticket: Ticket, name: string): Wanted {
  // An attempt before has written another log of this name.
  const last = ticket.runs.findLast(({ evidence }) => evidence === name);
  const reasons = [
    last?.outcome === "passed" ? "" : (last?.reason ?? ""),
    ticket.failure?.artifact === name ? ticket.failure.reason : "",
  ].filter((reason) => reason !== "");
  return {
    reasons: [...new Set(reasons)],
    tests: ticket.tests
      .filter((test) => isTestLog(name, test.package))
      .map((test) => test.name),
  };
}

/** The pages of a log; undefined when it is gone, or cannot be unpacked. */
async function pagesOf(
  ...args: Parameters<typeof writeLogPages>
): Promise<LogPages | undefined> {
  try {
    return await writeLogPages(...args);
  } catch (thrown) {
    if (hasCode(thrown, "ENOENT") || isDamagedGzip(thrown)) return undefined;
    throw thrown;
  }
}
