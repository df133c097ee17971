import type { FeedEvent } from "../domain/feed-event.ts";
import type { HotSpot } from "../domain/hot-spots.ts";
import type { FailedTicket } from "../domain/failure-groups.ts";
import type { Landing, QaState, WaitingLanding } from "../domain/landing.ts";
import type { TestedVersion } from "../domain/test-history.ts";
import type {
  Blame,
  FileRef,
  Ticket,
  TicketStatus,
  TicketSummary,
} from "../domain/ticket.ts";
import type {
  PackageRow,
  PackageVersion,
  TicketRange,
} from "../state/report-rows.ts";

/** A command that helps, as text, and what it does. */
export interface ShownCommand {
  readonly command: string;
  readonly effect: string;
}

/** Something that does not go on before a person acts. */
export interface Need {
  readonly kind: Blame | TicketStatus | QaState | "maintenance";
  readonly what: string;
  /** Folder of the page that tells more, relative to the report's. */
  readonly page: string;
  readonly since: string;
  readonly owner: string | null;
  readonly reasons: readonly string[];
  readonly commands: readonly ShownCommand[];
}

/** What may be deployed of a series. */
export interface SeriesState {
  readonly series: string;
  readonly deployable_revision: number | null;
  readonly deployed_revision: number | null;
  readonly newest: Landing;
  /** The oldest landing that keeps the newest from being deployed. */
  readonly blocker: Landing | null;
  readonly because: readonly string[];
  readonly commands: readonly ShownCommand[];
}

/** Why a ticket is where it is, and what helps. */
export interface ShownExplanation {
  readonly because: readonly string[];
  /** What happens on its own; `at` is null when it can happen at once, or never by time alone. */
  readonly next: { readonly action: string; readonly at: string | null } | null;
  readonly commands: readonly ShownCommand[];
}

/** What the report shows, as data; the report itself never reads the state. */
export interface ReportInput {
  readonly title: string;
  /** The address under which readers find the report, or null. */
  readonly url: string | null;
  /** What tells this state from every other, so that its feeds differ from theirs. */
  readonly origin: string;
  readonly generated_at: string;
  /** Until when what happened is shown, ISO 8601 UTC: that stays true when the pages get old. */
  readonly as_of: string;
  /** Newest first, with their expected times. */
  readonly open: readonly Ticket[];
  /** The most recent tickets that have ended, newest first. */
  readonly ended: readonly TicketSummary[];
  /** The ranges of ticket numbers for the pages of all ended tickets, oldest first. */
  readonly ended_ranges: readonly TicketRange[];
  readonly packages: readonly PackageRow[];
  readonly needs: readonly Need[];
  /** How many more need somebody than are shown. */
  readonly more_needs: number;
  readonly series: readonly SeriesState[];
  /** Recent failures, newest first. */
  readonly failed: readonly FailedTicket[];
  /** Landings that are bad or need testing, of all series. */
  readonly doubtful: readonly WaitingLanding[];
  readonly hot_spots: readonly HotSpot[];
  /** How many tickets have each status. */
  readonly counts: Readonly<Partial<Record<TicketStatus, number>>>;
  /** The newest landings of each series, oldest first. */
  readonly landings: readonly {
    readonly series: string;
    readonly landings: readonly Landing[];
  }[];
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
  readonly explanationOf: (ticket: Ticket) => ShownExplanation;
  /** The tests of each source package in the version that was published before. */
  readonly testedBefore: (ticket: Ticket) => ReadonlyMap<string, TestedVersion>;
  /** The apt sources by which a ticket's packages can be tried, by what each offers. */
  readonly aptSourcesOf: (
    ticket: Ticket,
  ) => Promise<readonly { readonly of: string; readonly text: string }[]>;
  /** A ticket in its JSON form, with the URLs of its files in the report. */
  readonly documentOf: (
    ticket: Ticket,
    urlOf: (at: FileRef) => string | null,
  ) => unknown;
}

/** What is known of a source package. */
export interface PackageData {
  readonly source: string;
  /** The newest versions, newest first. */
  readonly history: readonly PackageVersion[];
  /** Versions with their tests, newest first. */
  readonly tested: readonly TestedVersion[];
  /** The deployed revision of each series, or null. */
  readonly deployed: ReadonlyMap<string, number | null>;
  /** What its feed tells, newest first. */
  readonly events: readonly FeedEvent[];
}

/** A feed to write; its path in the report, and the page that it belongs to. */
export interface FeedData {
  readonly path: string;
  readonly page: string;
  readonly title: string;
  /** Newest first. */
  readonly events: readonly FeedEvent[];
}

/** The pages of single tickets, ranges and packages to write. Read one by one, as there may be very many. */
export interface ReportPages {
  readonly tickets: Iterable<Ticket>;
  readonly ranges: Iterable<
    TicketRange & {
      /** Newest first. */ readonly tickets: readonly TicketSummary[];
    }
  >;
  /** Lists of tickets of a series or a status: those that are open, and the newest that have ended. */
  readonly lists: Iterable<{
    readonly kind: "series" | "status";
    readonly name: string;
    readonly total: number;
    readonly tickets: readonly TicketSummary[];
  }>;
  readonly packages: Iterable<PackageData>;
  /** The feeds with news, except those of packages. */
  readonly feeds: Iterable<FeedData>;
}
