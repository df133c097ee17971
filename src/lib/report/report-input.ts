import type { FileRef, Ticket } from "../domain/ticket.ts";
import type {
  PackageRow,
  PackageVersion,
  TicketRange,
} from "../state/report-rows.ts";

/** What the report shows, as data: it never looks into the state itself. */
export interface ReportInput {
  readonly title: string;
  readonly generated_at: string;
  /** Newest first, with the time they can expect. */
  readonly open: readonly Ticket[];
  /** The newest of those that have ended, newest first. */
  readonly ended: readonly Ticket[];
  /** Where all those are that have ended, oldest first. */
  readonly ended_ranges: readonly TicketRange[];
  readonly packages: readonly PackageRow[];
  readonly revisions: readonly {
    readonly revision: number;
    readonly created_at: string;
    readonly ticket: number | null;
    readonly reverts_to: number | null;
    readonly sources: readonly {
      readonly source: string;
      readonly version: string;
      readonly series: string;
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
  /** What maintenance has held back, since when and how often. */
  readonly held_back: readonly {
    readonly name: string;
    readonly first: string;
    readonly last: string;
    readonly times: number;
  }[];
  readonly warnings: readonly string[];
  readonly signatures_optional: boolean;
}

/** How the report comes by what belongs to tickets and is not in it. */
export interface TicketSources {
  /** Where a stored file can be read. */
  readonly pathOf: (at: FileRef) => string;
  /** A ticket as JSON documents have it, with the addresses that its files have in this one. */
  readonly documentOf: (
    ticket: Ticket,
    urlOf: (at: FileRef) => string | null,
  ) => unknown;
}

/** The pages to write of single things; they are read one by one, for there may be very many. */
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
  /** Whether these are all there shall be: others go. */
  readonly all: boolean;
}
