import type { Ticket } from "../domain/ticket.ts";

/** What the report shows, as data: it never looks into the state itself. */
export interface ReportInput {
  readonly title: string;
  readonly generated_at: string;
  /** Those that are open with the time they can expect. */
  readonly tickets: readonly Ticket[];
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
