/** What a command is going to do to a ticket, as data: `--dry-run` prints it, a real run executes it. */
export interface TicketPlan {
  readonly ticket: number;
  readonly command: string;
  /** One line each, in order. */
  readonly actions: readonly string[];
}
