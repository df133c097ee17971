/** What a command is going to do, as data: a dry run prints it, a real run executes it. */
export interface Plan {
  readonly command: string;
  /** One line per action, in order; empty when there is nothing to do. */
  readonly actions: readonly string[];
}

/** What a command is going to do to one ticket. */
export interface TicketPlan extends Plan {
  readonly ticket: number;
}

/** The result of planning: one plan, a plan for each of several tickets, or null when no ticket is ready. */
export type Planned = Plan | readonly TicketPlan[] | null;
