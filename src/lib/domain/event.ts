/** One line of history: who did what to which thing, from which state to which, and why. */
export interface Event {
  readonly id: number;
  readonly at: string;
  readonly actor: string;
  readonly subject:
    | "ticket"
    | "ppa"
    | "archive"
    | "uploader"
    | "base"
    | "maintenance"
    | "lock"
    | "program"
    | "state";
  readonly subject_id: string;
  readonly what: string;
  readonly from_state: string | null;
  readonly to_state: string | null;
  readonly why: string | null;
  readonly run: number | null;
  /** The ticket it is about, also when its subject is that ticket's PPA. */
  readonly ticket: number | null;
  /** JSON: where each source package of the ticket was then. */
  readonly sources: string | null;
}
