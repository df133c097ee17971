import { refused } from "./error.ts";
import type { WorkStepCode } from "./step.ts";
import {
  commandOf,
  completeStep,
  parseStep,
  stepCommands,
  workAt,
  workStep,
} from "./step.ts";
import type {
  Outcome,
  Override,
  TestResult,
  Ticket,
  Verdict,
} from "./ticket.ts";
import type { TicketPlan } from "./plan.ts";
import type { Remedy } from "./remedy.ts";
import { advice, remedy } from "./remedy.ts";

export type OverrideTarget = Pick<Override, "kind" | "target">;

export interface OverridePlan extends TicketPlan {
  readonly target: OverrideTarget;
  /** When it ends, ISO 8601 UTC; null: never. */
  readonly until: string | null;
}

/** The overrides in force, which are those that neither were undone nor have ended. */
export function inForce(overrides: readonly Override[]): readonly Override[] {
  return overrides.filter(({ undone, ended }) => undone === null && !ended);
}

/** The overrides that were in force at a time (ISO 8601 UTC), as they were then. */
export function inForceAt(
  overrides: readonly Override[],
  at: string,
): readonly Override[] {
  return overrides.flatMap((one) => {
    const undone = one.undone !== null && one.undone.at <= at;
    return one.at > at || undone || isOver(one, at)
      ? []
      : { ...one, undone: null, ended: false };
  });
}

/** Whether the end of an override has passed at a time (ISO 8601 UTC). */
export function isOver({ until }: Pick<Override, "until">, at: string) {
  return until !== null && until <= at;
}

/** Until when an override counts, in words that follow others: ` until TIME`; empty when it has no end. */
export function untilInWords({ until }: Pick<Override, "until">): string {
  return until === null ? "" : ` until ${until}`;
}

/** What became of an override that is in force no longer, in words; null while it is. */
export function endInWords({ until, ended, undone }: Override): string | null {
  if (undone !== null) return `undone by ${undone.by}, ${undone.at}`;
  return ended && until !== null ? `ended ${until}` : null;
}

/** The kinds that allow what a publication would do to others; the rest ignore results. */
const allowing: readonly Override["kind"][] = ["takeover", "breaks", "older"];

/** Whether it allows something, so that a ticket that was set aside for it goes on. */
export const allows = ({ kind }: Pick<Override, "kind">): boolean =>
  allowing.includes(kind);

/** What an override ignores or allows, in words: `ignore-step run-tests`, `allow-breaks`. */
export function overrideInWords(override: OverrideTarget): string {
  const { kind, target } = override;
  const words = `${allows(override) ? "allow" : "ignore"}-${kind}`;
  return target === "" ? words : `${words} ${target}`;
}

/** Whether a ticket may do something that needs to be allowed. */
export function isAllowed(
  overrides: readonly Override[],
  kind: "takeover" | "breaks" | "older",
  target = "",
): boolean {
  return inForce(overrides).some(
    (one) => one.kind === kind && one.target === target,
  );
}

/** The command that allows a ticket something. */
export function allowingThat(
  { id }: Pick<Ticket, "id">,
  kind: "takeover" | "breaks" | "older",
  target?: string,
): Remedy {
  return remedy("override", [id], {
    [`allow-${kind}`]: target ?? true,
    reason: "TEXT",
  });
}

/** The command that adds an override to a ticket. */
export function ignoring(
  { id }: Ticket,
  kind: Override["kind"],
  target: string,
): Remedy {
  return remedy("override", [id], {
    [`ignore-${kind}`]: target,
    reason: "TEXT",
  });
}

/** The command that undoes an override. */
export function undoing({ id }: Ticket, override: Override): Remedy {
  return remedy("override", [id], { undo: String(override.id) });
}

/** Why a result does not count: `ignored: REASON (by WHO)`, or `(by WHO, until TIME)`. */
export function ignoredBecause({ reason, by, until }: Override): string {
  const end = until === null ? "" : `,${untilInWords({ until })}`;
  return `ignored: ${reason} (by ${by}${end})`;
}

/**
 * Why a step is skipped, or null when it has to run. Tests need an image: if the image step is skipped
 * and there is no earlier image, the tests are skipped as well.
 */
export function passedOver(
  overrides: readonly Override[],
  step: WorkStepCode,
  has: { readonly image: boolean; readonly architecture: string },
): string | null {
  const own = ignoredStep(overrides, commandOf(step));
  if (own !== undefined) return ignoredBecause(own);
  if (workAt(step).needsImage !== true || has.image) return null;
  const why =
    ignoredStep(overrides, "build-image") ??
    ignoredArchitecture(overrides, has.architecture);
  return why === undefined
    ? null
    : `there is no image to test on; ${overrideInWords(why)} is ${ignoredBecause(why)}`;
}

/** The override in force that passes over a step, if any. */
export function ignoredStep(
  overrides: readonly Override[],
  command: string,
): Override | undefined {
  return inForce(overrides).find(
    ({ kind, target }) => kind === "step" && target === command,
  );
}

/** The override in force that ignores the results of an architecture, if any. */
export function ignoredArchitecture(
  overrides: readonly Override[],
  architecture: string,
): Override | undefined {
  return inForce(overrides).find(
    ({ kind, target }) => kind === "arch" && target === architecture,
  );
}

/** What a test of a ticket means, by how its run ended and by the ticket's overrides. */
export function verdictOf(
  { package: source, name, result }: TestResult,
  run: Outcome | null,
  overrides: readonly Override[],
): Verdict | null {
  if (result !== "fail") return null;
  if (run === "tmpfail") return "infrastructure";
  const isKnown =
    ignoredTest(overrides, source) ??
    ignoredTest(overrides, `${source}/${name}`);
  return isKnown === undefined ? null : "known";
}

/** The override in force that ignores PKG or PKG/TEST, if any. */
export function ignoredTest(
  overrides: readonly Override[],
  target: string,
): Override | undefined {
  return inForce(overrides).find(
    (override) => override.kind === "test" && override.target === target,
  );
}

/**
 * Checks that a ticket has what an override is to ignore.
 *
 * @param architecture the one this installation builds for
 * @throws UbuntuCiError (2) when the ticket does not have it
 */
export function checkTarget(
  ticket: Ticket,
  { kind, target }: OverrideTarget,
  architecture: string,
): OverrideTarget {
  switch (kind) {
    case "step": {
      const step = parseStep(target);
      const command = stepCommands.find(
        ({ code }) => code === step?.code,
      )?.command;
      if (command === undefined)
        throw refused(
          `${JSON.stringify(target)} is not a step`,
          "build-image and run-tests can be ignored",
        );
      if (command !== "build-image" && command !== "run-tests")
        throw refused(
          `${command} cannot be ignored: without it there is nothing to publish`,
          "build-image and run-tests can",
        );
      return { kind, target: command };
    }
    case "arch":
      if (target !== architecture)
        throw refused(
          `${JSON.stringify(target)} is not the architecture of this installation, which is ${architecture}`,
        );
      return { kind, target };
    case "breaks":
    case "older":
      return { kind, target: "" };
    case "takeover": {
      const names = ticket.subtickets.flatMap(({ binaries }) => binaries);
      if (!names.includes(target))
        throw refused(
          `ticket ${ticket.id} builds no binary package ${JSON.stringify(target)}`,
          `it builds ${names.join(", ")}`,
        );
      return { kind, target };
    }
    case "test": {
      const [source = "", test, ...more] = target.split("/");
      const names = ticket.subtickets.map((subticket) => subticket.source);
      if (!names.includes(source))
        throw refused(
          `ticket ${ticket.id} has no source package ${JSON.stringify(source)}`,
          `it has ${names.join(", ")}`,
        );
      // autopkgtest's own rule is /^[a-z0-9+.-]*$/i with an underscore added (README.package-tests).
      if (
        more.length > 0 ||
        (test !== undefined && !/^[A-Za-z0-9+._-]+$/.test(test))
      )
        throw refused(
          `${JSON.stringify(target)} does not name a test`,
          "write PKG, or PKG/TEST",
        );
      return { kind, target };
    }
  }
}

/**
 * The plan of a new override.
 *
 * @param until when it ends, ISO 8601 UTC; null: never
 * @param now ISO 8601 UTC
 * @throws UbuntuCiError (2) when its end has passed, the ticket does not have the target, is complete, or ignores it already
 */
export function planOverride(
  ticket: Ticket,
  wanted: OverrideTarget,
  architecture: string,
  until: string | null,
  now: string,
): OverridePlan {
  if (isOver({ until }, now))
    throw refused(`--until ${until ?? ""} has passed already`);
  const target = checkTarget(ticket, wanted, architecture);
  if (ticket.step.code === completeStep)
    throw refused(`ticket ${ticket.id} is complete: nothing holds it back`);
  const there = inForce(ticket.overrides).find(
    (override) =>
      override.kind === target.kind && override.target === target.target,
  );
  if (there !== undefined)
    throw refused(
      `ticket ${ticket.id} has ${overrideInWords(target)} already: override ${there.id}, by ${there.by}: ${there.reason}`,
      undoing(ticket, there),
    );
  return {
    target,
    until,
    ticket: ticket.id,
    command: "override",
    actions: [
      `record ${overrideInWords(target)}, in force at the next run${until === null ? "" : ` and${untilInWords({ until })}`}`,
      ...(goesOnAfter(ticket, target)
        ? [`queue it again, to go on at ${ticket.step.name}`]
        : []),
    ],
  };
}

/** Whether a ticket that was set aside goes on once this is allowed. */
export const goesOnAfter = (
  ticket: Pick<Ticket, "set_aside" | "step">,
  override: OverrideTarget,
): boolean =>
  ticket.set_aside === "approval" &&
  // What a step that can be ignored misses is ignored; what others would do is allowed.
  allows(override) !== (workStep(ticket.step.code)?.mayBeIgnored === true);

/**
 * Finds the override to undo: by its number, by its target, or (null) the only one in force.
 *
 * @throws UbuntuCiError (2) when there is no such override
 */
export function overrideToUndo(
  ticket: Ticket,
  wanted: number | OverrideTarget | null,
): Override {
  const candidates = inForce(ticket.overrides);
  const listed = advice`${remedy("override", [ticket.id])} lists them`;
  if (wanted === null) {
    const [only, ...more] = candidates;
    if (only === undefined)
      throw refused(`ticket ${ticket.id} has no override in force`);
    if (more.length > 0)
      throw refused(
        `ticket ${ticket.id} has ${candidates.length} overrides in force: name the one to undo`,
        listed,
      );
    return only;
  }
  const step =
    typeof wanted === "number" ? undefined : parseStep(wanted.target);
  const command = stepCommands.find(({ code }) => code === step?.code)?.command;
  const found = candidates.find((override) =>
    typeof wanted === "number"
      ? override.id === wanted
      : override.kind === wanted.kind &&
        [wanted.target, command].includes(override.target),
  );
  if (found === undefined)
    throw refused(
      `ticket ${ticket.id} has no ${typeof wanted === "number" ? `override ${wanted}` : overrideInWords(wanted)} in force`,
      listed,
    );
  return found;
}
