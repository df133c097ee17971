import { cancelledInWords } from "../cancel.ts";
import { ignoring } from "../override.ts";
import { retryAfterOverride } from "../retry-after-override.ts";
import { publishStep, queueStep, stepOf, workStep } from "../step.ts";
import type { Failure, Override, Ticket } from "../ticket.ts";
import type { Cause, Suggestion } from "./explanation.ts";
import { showing } from "./explanation.ts";
import type { Situation } from "./situation.ts";
import { advice, remedy } from "../remedy.ts";

export function published(ticket: Ticket): Cause {
  const revision = ticket.archive_revision;
  const at = ticket.runs.findLast(
    ({ step }) => step.code === publishStep,
  )?.finished_at;
  const undone = ticket.undone_by;
  const as = revision === null ? "" : ` as archive revision ${revision}`;
  return {
    blocked: false,
    because: [
      undone === null
        ? `it is published${as}${at == null ? "" : `, since ${at}`}`
        : `it was published${as}, and revision ${undone} took it out of the archive again`,
    ],
    next: null,
    unblock: null,
    ...(revision !== null && {
      also: [
        {
          command: remedy("archive show", [revision]),
          effect: "lists what that revision has",
        },
      ],
    }),
  };
}

export function failed(situation: Situation): Cause {
  const { ticket, architecture } = situation;
  const { failure, cancelled } = ticket;
  const retry = remedy("retry", [ticket.id]);
  const base = { blocked: true, next: null };
  if (failure === null) {
    const words = cancelled === null ? "it ended" : cancelledInWords(cancelled);
    return {
      ...base,
      because: [`${words}${cancelled === null ? "" : `, at ${cancelled.at}`}`],
      unblock: {
        command: retry,
        effect: `queues it again, to go on at ${(ticket.resume_step ?? stepOf(queueStep)).name}`,
      },
    };
  }
  const said = [
    `it failed at ${failure.step.name}, ${failure.kind === "package" ? "and the package is at fault" : "and infrastructure is to blame"}: ${failure.reason}`,
  ];
  const evidence = evidenceOf(ticket, failure);
  const overridden = retryAfterOverride(ticket, architecture);
  if (overridden !== null)
    return {
      ...base,
      because: [...said, "what it failed at is ignored since"],
      unblock: {
        command: overridden,
        effect: "queues it again, to go on there",
      },
      also: evidence,
    };
  if (failure.kind === "infrastructure") {
    const attempts = ticket.runs.filter(
      ({ step, outcome }) =>
        step.code === failure.step.code && outcome === "tmpfail",
    ).length;
    return {
      ...base,
      because: [
        ...said,
        `${attempts} attempts were made; it is not tried again by itself`,
      ],
      unblock: {
        command: retry,
        effect: `queues it again, to go on at ${failure.step.name}`,
      },
      also: [
        ...evidence,
        {
          command: remedy("doctor"),
          effect: "says whether this machine can do each step",
        },
      ],
    };
  }
  // The same source fails again: what helps is another one.
  return {
    ...base,
    because: said,
    unblock: {
      command: remedy("create_ticket", [], {
        t: ticket.title,
        s: "FILE_source.changes",
      }),
      effect: "lands a corrected version, which is a ticket of its own",
    },
    also: [
      ...evidence,
      ...overridesFor(ticket, failure),
      {
        command: retry,
        effect: `queues it again as it is, to go on at ${failure.step.name}; the same failure is likely`,
      },
    ],
  };
}

function evidenceOf(ticket: Ticket, { artifact }: Failure): Suggestion[] {
  return artifact === null
    ? []
    : [{ command: showing(ticket, artifact), effect: "shows the evidence" }];
}

/** With more failed tests than this, the suggestion is to ignore the whole step instead of each test. */
const mostTests = 3;

function overridesFor(ticket: Ticket, { step }: Failure): Suggestion[] {
  const override = (
    kind: Override["kind"],
    target: string,
    effect: string,
  ): Suggestion => ({
    command: ignoring(ticket, kind, target),
    effect: advice`${effect}; ${remedy("retry", [ticket.id])} takes it on then`,
  });
  const work = workStep(step.code);
  const bad =
    work?.needsImage === true
      ? ticket.tests.filter(
          ({ result, state, name }) =>
            (result === "fail" || state === "fail") &&
            /^[A-Za-z0-9+._-]+$/.test(name),
        )
      : [];
  if (bad.length > 0 && bad.length <= mostTests)
    return bad.map(({ package: of, name }) =>
      override("test", `${of}/${name}`, "lets that test not count"),
    );
  if (work?.mayBeIgnored !== true) return [];
  const { command } = work;
  return [override("step", command, `passes over ${command}`)];
}
