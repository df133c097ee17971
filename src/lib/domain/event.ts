/** One entry of the history: who did what to which thing, from which state to which, and why. */
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
    | "state"
    | "landing"
    | "policy"
    | "reminder";
  readonly subject_id: string;
  readonly what: string;
  readonly from_state: string | null;
  readonly to_state: string | null;
  readonly why: string | null;
  readonly run: number | null;
  /** The ticket that the event concerns, even if its subject is that ticket's PPA. */
  readonly ticket: number | null;
  /** JSON: the state of each source package of the ticket at that time. */
  readonly sources: string | null;
}
