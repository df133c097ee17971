/** What feeds tell: how a ticket ended, what needs a person, what was taken out of the archive or came back. */
export type FeedKind =
  | "landed"
  | "failed"
  | "set-aside"
  | "taken-out"
  | "back"
  | "reverted"
  | "regression"
  | "bad";

/** One entry of a feed. */
export interface FeedEvent {
  /** The event's number and time (ISO 8601 UTC), which together tell it from those of a state restored since. */
  readonly id: number;
  readonly at: string;
  readonly actor: string;
  readonly kind: FeedKind;
  /** Null for what was done to the archive as a whole. */
  readonly ticket: number | null;
  readonly title: string | null;
  readonly owner: string | null;
  readonly sources: readonly {
    readonly source: string;
    readonly version: string;
  }[];
  /** The archive revision that it is about, or null. */
  readonly revision: number | null;
  /** Whose fault a failure is; null for all else. */
  readonly blame: "package" | "infrastructure" | null;
  readonly why: string | null;
  /** The tests that fail and passed in the version before. */
  readonly tests: readonly {
    readonly package: string;
    readonly name: string;
  }[];
}
