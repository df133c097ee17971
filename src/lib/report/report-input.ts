import type { FileRef, Ticket } from "../domain/ticket.ts";
import type {
  PackageRow,
  PackageVersion,
  TicketRange,
} from "../state/report-rows.ts";

/** What the report shows, as data; the report itself never reads the state. */
export interface ReportInput {
  readonly title: string;
  readonly generated_at: string;
  /** Newest first, with their expected times. */
  readonly open: readonly Ticket[];
  /** The most recent tickets that have ended, newest first. */
  readonly ended: readonly Ticket[];
  /** The ranges of ticket numbers for the pages of all ended tickets, oldest first. */
  readonly ended_ranges: readonly TicketRange[];
  readonly packages: readonly PackageRow[];
  /** The newest, ascending, with what each did to the one before it. */
  readonly revisions: readonly {
    readonly revision: number;
    readonly created_at: string;
    readonly ticket: number | null;
    readonly reverts_to: number | null;
    readonly undoes?: number;
    readonly changes: readonly {
      readonly series: string;
      readonly source: string;
      readonly from: string | null;
      readonly to: string | null;
    }[];
  }[];
  readonly ppas: readonly {
    readonly name: string;
    readonly state: string;
    readonly ticket: number | null;
    readonly since: string;
  }[];
  readonly locks: readonly {
    readonly name: string;
    readonly pid: number;
    readonly host: string;
    readonly since: string;
    readonly dead: boolean;
    readonly command: string;
  }[];
  readonly maintenance: {
    readonly since: string;
    readonly by: string | null;
    readonly reason: string | null;
  } | null;
  /** The commands that maintenance held back, since when and how often. */
  readonly held_back: readonly {
    readonly name: string;
    readonly first: string;
    readonly last: string;
    readonly times: number;
  }[];
  readonly warnings: readonly string[];
  readonly signatures_optional: boolean;
}

/** How the report gets data about tickets that is not part of its input. */
export interface TicketSources {
  /** Path of a file in the data store. */
  readonly pathOf: (at: FileRef) => string;
  /** A ticket in its JSON form, with the URLs of its files in the report. */
  readonly documentOf: (
    ticket: Ticket,
    urlOf: (at: FileRef) => string | null,
  ) => unknown;
}

/** The pages of single tickets, ranges and packages to write. Read one by one, as there may be very many. */
export interface ReportPages {
  readonly tickets: Iterable<Ticket>;
  readonly ranges: Iterable<
    TicketRange & { /** Newest first. */ readonly tickets: readonly Ticket[] }
  >;
  readonly packages: Iterable<{
    readonly source: string;
    /** Newest first. */
    readonly history: readonly PackageVersion[];
  }>;
}
