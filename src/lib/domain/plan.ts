/** What a command is going to do, as data: a dry run prints it, a real run executes it. */
export interface Plan {
  readonly command: string;
  /** One line each, in order; none when there is nothing to do. */
  readonly actions: readonly string[];
}

/** What is going to be done to one ticket. */
export interface TicketPlan extends Plan {
  readonly ticket: number;
}

/** What a command plans: one thing, something for each of several tickets, or null when no ticket is ready. */
export type Planned = Plan | readonly TicketPlan[] | null;
