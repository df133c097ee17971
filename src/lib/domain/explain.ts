import { cancelledInWords } from "./cancel.ts";
import type { Expected } from "./expected.ts";
import {
  ignoredBecause,
  inForce,
  overrideInWords,
  passedOver,
  retryAfterOverride,
} from "./override.ts";
import { isDue } from "./retry.ts";
import type { Step, StepCode, WorkStepCode } from "./step.ts";
import { commandOf, nextStep, stepOf } from "./step.ts";
import type { Failure, Override, Ticket, TicketStatus } from "./ticket.ts";

/** Another open ticket, as far as it can be in one's way. */
export interface OpenTicket {
  readonly id: number;
  readonly step: StepCode;
  readonly status: TicketStatus;
  /** Names of its source packages. */
  readonly sources: readonly string[];
}

/** A ticket of the queue. One that waits for its next attempt is not ready, and keeps its place. */
export interface QueuedTicket extends OpenTicket {
  readonly priority: number;
  readonly ready: boolean;
}

/** All that decides where a ticket is, at one moment. */
export interface Situation {
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  readonly ticket: Ticket;
  readonly maintenance: {
    readonly since: string;
    readonly by: string | null;
    readonly reason: string | null;
  } | null;
  readonly concurrency: number;
  /** The other tickets in flight. */
  readonly inFlight: readonly OpenTicket[];
  /** The tickets before it in the queue, the next one first. */
  readonly ahead: readonly QueuedTicket[];
  readonly pool: readonly {
    readonly name: string;
    readonly state: "reserved" | "dirty" | "cleaning" | "free";
    readonly ticket: number | null;
  }[];
  readonly poolPrefix: string;
  /** Who works on it; `gone` when that process has died. */
  readonly worker: {
    readonly pid: number;
    readonly host: string;
    readonly gone: boolean;
  } | null;
  readonly held: { readonly by: string; readonly at: string } | null;
  readonly hasImage: boolean;
  readonly architecture: string;
}

/** A command that a person may run, whole, and what comes of it. */
export interface Way {
  readonly command: string;
  readonly effect: string;
}

/** Why a ticket is where it is: the shape of `explain N --json`. */
export interface Explanation {
  readonly ticket: number;
  /** Something keeps it from going on by itself, now. */
  readonly blocked: boolean;
  readonly step: Step;
  readonly because: readonly string[];
  /** What happens on its own; `at` is null where the time depends on something else. */
  readonly next: { readonly action: string; readonly at: string | null } | null;
  readonly unblock: string | null;
  /** The time it can expect, as `status` shows it. */
  readonly expected: Expected | null;
  /** Every command that helps, the one of `unblock` first. */
  readonly commands: readonly Way[];
}

type Finding = Omit<
  Explanation,
  "ticket" | "step" | "unblock" | "commands" | "because" | "expected"
> & {
  readonly because: readonly string[];
  readonly unblock: Way | null;
  readonly also?: readonly Way[];
};

/** Why a ticket is where it is, what happens next on its own, and what a person may do about it. */
export function explain(situation: Situation): Explanation {
  const { ticket } = situation;
  const found = withMaintenance(situation, findingOf(situation));
  const overrides = ticket.step.code < 1000 ? inForce(ticket.overrides) : [];
  const commands = [
    ...(found.unblock === null ? [] : [found.unblock]),
    ...(found.also ?? []),
    ...overrides.map((override) => undoing(ticket, override)),
  ];
  return {
    ticket: ticket.id,
    blocked: found.blocked,
    step: ticket.step,
    because: [
      ...found.because,
      ...overrides.map(
        (override) =>
          `${overrideInWords(override)}: ${ignoredBecause(override)}`,
      ),
    ],
    next: found.next,
    unblock: found.unblock?.command ?? null,
    expected: ticket.expected ?? null,
    commands,
  };
}

function findingOf(situation: Situation): Finding {
  const { ticket } = situation;
  if (ticket.step.code === 1000) return published(ticket);
  if (ticket.step.code === 999) return failed(situation);
  if (ticket.status === "running") return running(situation);
  if (ticket.cancelled !== null) return toBeCancelled(situation);
  if (ticket.status === "held") return held(situation);
  if (!isDue(ticket.retry_at, situation.nowMs)) return retryLater(situation);
  if (ticket.step.code === 100 && ticket.ppa === null)
    return behindOthers(situation) ?? withoutPpa(situation) ?? ready(situation);
  return ready(situation);
}

function published(ticket: Ticket): Finding {
  const revision = ticket.archive_revision;
  const at = ticket.runs.findLast(({ step }) => step.code === 500)?.finished_at;
  return {
    blocked: false,
    because: [
      `it is published${revision === null ? "" : ` as archive revision ${revision}`}${at == null ? "" : `, since ${at}`}`,
    ],
    next: null,
    unblock: null,
    ...(revision !== null && {
      also: [
        {
          command: `ubuntu-ci archive show ${revision}`,
          effect: "lists what that revision has",
        },
      ],
    }),
  };
}

function failed(situation: Situation): Finding {
  const { ticket, architecture } = situation;
  const { failure, cancelled } = ticket;
  const retry = `ubuntu-ci retry ${ticket.id}`;
  const base = { blocked: true, next: null };
  if (failure === null) {
    const words = cancelled === null ? "it ended" : cancelledInWords(cancelled);
    return {
      ...base,
      because: [`${words}${cancelled === null ? "" : `, at ${cancelled.at}`}`],
      unblock: {
        command: retry,
        effect: `queues it again, to go on at ${(ticket.resume_step ?? stepOf(100)).name}`,
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
          command: "ubuntu-ci doctor",
          effect: "says whether this machine can do each step",
        },
      ],
    };
  }
  return {
    ...base,
    because: said,
    unblock: {
      command: retry,
      effect: `queues it again as it is, to go on at ${failure.step.name}`,
    },
    also: [
      ...evidence,
      ...overridesFor(ticket, failure),
      {
        command: `ubuntu-ci create_ticket -t TITLE -s FILE_source.changes`,
        effect: "lands a corrected version, which is a ticket of its own",
      },
    ],
  };
}

function evidenceOf(ticket: Ticket, { artifact }: Failure): Way[] {
  return artifact === null
    ? []
    : [
        {
          command: `ubuntu-ci get_artifact ${ticket.id} ${artifact} -o -`,
          effect: "shows the evidence",
        },
      ];
}

/** How the step or the tests that it failed at can be ignored. More failed tests than these are a broken package. */
const mostTests = 3;

function overridesFor(ticket: Ticket, { step }: Failure): Way[] {
  const override = (what: string, effect: string): Way => ({
    command: `ubuntu-ci override ${ticket.id} ${what} --reason TEXT`,
    effect: `${effect}; ubuntu-ci retry ${ticket.id} takes it on then`,
  });
  const bad =
    step.code === 400
      ? ticket.tests.filter(
          ({ result, name }) =>
            result === "fail" && /^[A-Za-z0-9+._-]+$/.test(name),
        )
      : [];
  if (bad.length > 0 && bad.length <= mostTests)
    return bad.map(({ package: of, name }) =>
      override(`--ignore-test ${of}/${name}`, "lets that test not count"),
    );
  if (step.code !== 300 && step.code !== 400) return [];
  const command = commandOf(step.code);
  return [override(`--ignore-step ${command}`, `passes over ${command}`)];
}

function running(situation: Situation): Finding {
  const { ticket, worker } = situation;
  const step = ticket.step.code as WorkStepCode;
  const command = commandOf(step);
  const run = ticket.runs.at(-1);
  const attempt =
    run === undefined || run.attempt === 1 ? "" : ` (attempt ${run.attempt})`;
  const who =
    worker === null ? "" : `, process ${worker.pid} on ${worker.host}`;
  if (worker?.gone === true) {
    return {
      blocked: true,
      because: [
        `process ${worker.pid} on ${worker.host}, which worked on ${command}${attempt}, is gone`,
      ],
      next: {
        action: `the next pass of ${command} or land gives its lease up and ${ticket.cancelled === null ? "tries again" : "ends the ticket as cancelled"}`,
        at: isoOf(situation.nowMs),
      },
      unblock: landing(ticket, "does so now"),
    };
  }
  const since = run === undefined ? "" : ` since ${run.started_at}`;
  const { progress } = ticket;
  const doing =
    progress === null
      ? ""
      : `: ${progress.message}${progress.current !== null && progress.total !== null ? ` (${progress.current}/${progress.total})` : ""}`;
  const because = [`${command} works on it${since}${attempt}${who}${doing}`];
  if (ticket.cancelled !== null) {
    return {
      blocked: false,
      because: [
        ...because,
        `it is to be ${cancelledInWords(ticket.cancelled)}`,
      ],
      next: {
        action: "that process ends what it runs, and the ticket as cancelled",
        at: isoOf(situation.nowMs),
      },
      unblock: null,
    };
  }
  const after = nextStep(step);
  return {
    blocked: false,
    because,
    next: {
      action: `when it passes, ${after === 1000 ? "the ticket is complete" : `${nextCommandOf(ticket, step)} follows`}`,
      at: null,
    },
    unblock: null,
    also: [
      {
        command: `ubuntu-ci status ${ticket.id}`,
        effect: "shows how far it is",
      },
      {
        command: `ubuntu-ci cancel ${ticket.id}`,
        effect: "ends it, if it is not wanted any more",
      },
    ],
  };
}

function nextCommandOf(ticket: Ticket, step: WorkStepCode): string {
  const next =
    step === 100 && ticket.resume_step !== null
      ? Math.max(ticket.resume_step.code, 200)
      : nextStep(step);
  return commandOf(next as WorkStepCode);
}

/** Whether it was published before that can only be told by looking: see cancel. */
function toBeCancelled({ ticket, nowMs }: Situation): Finding {
  const command = commandOf(ticket.step.code as WorkStepCode);
  const words =
    ticket.cancelled === null
      ? "cancelled"
      : cancelledInWords(ticket.cancelled);
  return {
    blocked: false,
    because: [
      `it is to be ${words}`,
      "whether it was published before that is to be looked up",
    ],
    next: {
      action: `the next pass of ${command} or land does, and ends the ticket`,
      at: isoOf(nowMs),
    },
    unblock: landing(ticket, "does so now"),
  };
}

function held({ ticket, held: by }: Situation): Finding {
  return {
    blocked: true,
    because: [
      by === null ? "it is held" : `it is held by ${by.by}, since ${by.at}`,
    ],
    next: null,
    unblock: {
      command: `ubuntu-ci update_ticket ${ticket.id} --queue`,
      effect: "queues it",
    },
  };
}

function retryLater({ ticket }: Situation): Finding {
  const command = commandOf(ticket.step.code as WorkStepCode);
  const last = ticket.runs.at(-1);
  return {
    blocked: true,
    because: [
      `${command} did not get through, for a reason of ours; ${ticket.waiting_for ?? "it is tried again"}`,
    ],
    next: {
      action: `${command} tries again at the first pass after that time`,
      at: ticket.retry_at,
    },
    unblock: {
      command: `ubuntu-ci retry ${ticket.id}`,
      effect: "makes the next attempt due at once",
    },
    ...(last?.evidence != null && {
      also: [
        {
          command: `ubuntu-ci get_artifact ${ticket.id} ${last.evidence} -o -`,
          effect: "shows the last attempt's log",
        },
      ],
    }),
  };
}

/** Why a queued ticket may not start, by the rules of the queue; null when it may. */
function behindOthers(situation: Situation): Finding | null {
  const { ticket, inFlight, ahead, concurrency } = situation;
  const mine = ticket.subtickets.map(({ source }) => source);
  const common = ({ sources }: OpenTicket) =>
    mine.filter((source) => sources.includes(source));
  const inTheWay = inFlight.filter(
    (other) => inFlight.length >= concurrency || common(other).length > 0,
  );
  if (inTheWay.length > 0) {
    const [first] = inTheWay;
    const many = inTheWay.length > 1;
    const ids = inTheWay.map(({ id }) => String(id));
    const full = inFlight.length >= concurrency;
    return {
      blocked: true,
      because: [
        ...inTheWay.map(
          (other) =>
            `it waits behind ticket ${other.id}, which is at ${stepOf(other.step).name} (${other.status})${sharing(common(other))}`,
        ),
        ...(full ? [limitInWords(concurrency)] : []),
        ...turnInWords(ahead),
      ],
      next: {
        action: `when ${many && !full ? `tickets ${inWords(ids, "and")} have` : `ticket ${inWords(ids, "or")} has`} ended, the next pass of assign-ppa or land starts ${ahead.length === 0 ? "it" : "the first of the queue"}`,
        at: null,
      },
      unblock: first === undefined ? null : hurrying(first),
      also: [
        ...inTheWay.slice(1).map(hurrying),
        ...(ahead.length > 0 ? [firstOf(ticket, ahead)] : []),
      ],
    };
  }
  const sharedAhead = ahead.find((other) => common(other).length > 0);
  if (sharedAhead !== undefined) {
    return {
      blocked: true,
      because: [
        `it waits behind ticket ${sharedAhead.id}, which comes before it in the queue${sharing(common(sharedAhead))}`,
      ],
      next: {
        action: `when ticket ${sharedAhead.id} has landed, the next pass of assign-ppa or land starts it`,
        at: null,
      },
      unblock: hurrying(sharedAhead),
      also: [firstOf(ticket, ahead)],
    };
  }
  const before = startable(ahead, inFlight);
  if (before.length < concurrency - inFlight.length) return null;
  return {
    blocked: true,
    because: [...turnInWords(ahead), limitInWords(concurrency)],
    next: {
      action: `the next pass of assign-ppa or land starts ticket ${before[0]?.id ?? ""}, and this one in its turn`,
      at: null,
    },
    unblock: firstOf(ticket, ahead),
  };
}

/** The tickets of a queue that could start beside those in flight and each other. */
function startable(
  queue: readonly QueuedTicket[],
  inFlight: readonly OpenTicket[],
): QueuedTicket[] {
  const taken = new Set(inFlight.flatMap(({ sources }) => sources));
  return queue.filter(({ sources, ready }) => {
    const free = ready && !sources.some((source) => taken.has(source));
    for (const source of sources) taken.add(source);
    return free;
  });
}

function sharing(sources: readonly string[]): string {
  return sources.length === 0 ? "" : `: both have ${inWords(sources, "and")}`;
}

function limitInWords(concurrency: number): string {
  return `${concurrency === 1 ? "one ticket is" : `${concurrency} tickets are`} in flight at a time (\`concurrency\`)`;
}

/** A long queue is told by its length. */
function turnInWords(ahead: readonly QueuedTicket[]): string[] {
  if (ahead.length === 0) return [];
  const ids = ahead.slice(0, 5).map(({ id }) => String(id));
  return [
    ahead.length === 1
      ? `ticket ${ids[0] ?? ""} is before it in the queue`
      : `${ahead.length} tickets are before it in the queue: ${ids.join(", ")}${ahead.length > ids.length ? ", …" : ""}`,
  ];
}

function firstOf(ticket: Ticket, ahead: readonly QueuedTicket[]): Way {
  const highest = Math.max(...ahead.map(({ priority }) => priority));
  return {
    command: `ubuntu-ci update_ticket ${ticket.id} --priority ${highest + 1}`,
    effect: "makes it the first of the queue",
  };
}

/** What gets another ticket out of the way. */
function hurrying({ id, status }: OpenTicket): Way {
  return status === "running"
    ? {
        command: `ubuntu-ci cancel ${id}`,
        effect: `ends ticket ${id}, which is being worked on: only if it is not wanted any more`,
      }
    : {
        command: `ubuntu-ci land --ticket ${id}`,
        effect: `takes ticket ${id} on now`,
      };
}

function withoutPpa({
  ticket,
  pool,
  poolPrefix,
  nowMs,
}: Situation): Finding | null {
  if (pool.some(({ state }) => state === "free")) return null;
  const start = "assign-ppa takes it then";
  if (pool.length === 0)
    return {
      blocked: true,
      because: ["no PPA is free: the pool is empty"],
      next: null,
      unblock: {
        command: "ubuntu-ci ppa populate",
        effect: `fills the pool; ${start}`,
      },
    };
  const because = [
    `no PPA is free: ${pool.map(({ name, state, ticket: of }) => `${name} is ${state}${of === null ? "" : ` by ticket ${of}`}`).join(", ")}`,
  ];
  if (pool.some(({ state }) => state !== "reserved"))
    return {
      blocked: true,
      because,
      next: {
        action: `the next pass of clean-ppas or land empties what was given back, and ${start}`,
        at: isoOf(nowMs),
      },
      unblock: {
        command: "ubuntu-ci clean-ppas",
        effect: `empties what was given back; ${start}`,
      },
    };
  return {
    blocked: true,
    because,
    next: {
      action: `when one of those tickets has ended its PPA is emptied by clean-ppas or land, and ${start}`,
      at: null,
    },
    unblock: {
      command: `ubuntu-ci ppa add ${newName(pool, poolPrefix)}`,
      effect: `adds one more to the pool; ${start}`,
    },
    also: [landing(ticket, "takes it on when there is one")],
  };
}

function newName(pool: Situation["pool"], prefix: string): string {
  const names = new Set(pool.map(({ name }) => name));
  for (let number = pool.length + 1; ; number += 1) {
    const name = `${prefix}-${String(number).padStart(3, "0")}`;
    if (!names.has(name)) return name;
  }
}

/** Nothing of the toolchain's own is in its way: the next pass takes it. */
function ready(situation: Situation): Finding {
  const { ticket, hasImage, architecture, nowMs } = situation;
  const step = ticket.step.code as WorkStepCode;
  const command = commandOf(step);
  const over = passedOver(ticket.overrides, step, {
    image: hasImage,
    architecture,
  });
  const does = over === null ? "works on it" : `passes over it, ${over}`;
  const next = {
    action: `the next pass of ${command} or land ${does}`,
    at: isoOf(nowMs),
  };
  // That there was no PPA is known better from the pool.
  const trouble =
    step === 100 && ticket.ppa === null ? null : ticket.waiting_for;
  if (trouble === null) {
    return {
      blocked: false,
      because: [`it is its turn, at ${ticket.step.name}`],
      next,
      unblock: landing(ticket, "does so now"),
    };
  }
  const remedy =
    /`(ubuntu-ci [^`]+)`|\b(apt-get install [a-z0-9][a-z0-9 +.-]*[a-z0-9+])/.exec(
      trouble,
    );
  const install = remedy?.[1] ?? remedy?.[2];
  const land = landing(ticket, "tries now");
  return {
    blocked: install !== undefined,
    because: [
      `the last attempt at ${ticket.step.name} did not get through: ${trouble}`,
    ],
    next,
    unblock:
      install === undefined
        ? land
        : { command: install, effect: "gets what is missing" },
    ...(install !== undefined && { also: [land] }),
  };
}

/** Maintenance holds back whatever would come next. */
function withMaintenance(
  { ticket, maintenance }: Situation,
  found: Finding,
): Finding {
  if (maintenance === null || ticket.step.code === 1000) return found;
  const by = maintenance.by === null ? "" : ` by ${maintenance.by}`;
  const why = maintenance.reason === null ? "" : `: ${maintenance.reason}`;
  const because = `maintenance is on since ${maintenance.since}${by}${why}`;
  const off = {
    command: "ubuntu-ci maintenance off",
    effect: "ends maintenance",
  };
  if (ticket.step.code === 999)
    return {
      ...found,
      because: [
        ...found.because,
        `${because}; a retry has to wait for its end`,
      ],
      also: [...(found.also ?? []), off],
    };
  if (ticket.status === "running" && !found.blocked)
    return {
      ...found,
      because: [...found.because, `${because}; what runs goes on to its end`],
      next:
        found.next === null
          ? null
          : {
              ...found.next,
              action: `${found.next.action}, after maintenance`,
            },
      also: [off, ...(found.also ?? [])],
    };
  return {
    blocked: true,
    because: [because, ...found.because],
    next:
      found.next === null
        ? null
        : {
            action: `when maintenance has ended: ${found.next.action}`,
            at: null,
          },
    unblock: off,
    also: [
      ...(found.unblock === null ? [] : [found.unblock]),
      ...(found.also ?? []),
    ],
  };
}

function undoing(ticket: Ticket, override: Override): Way {
  return {
    command: `ubuntu-ci override ${ticket.id} --undo ${override.id}`,
    effect: `lets ${override.target} count again`,
  };
}

function landing({ id }: Ticket, effect: string): Way {
  return { command: `ubuntu-ci land --ticket ${id}`, effect };
}

function inWords(words: readonly string[], and: string): string {
  return words.length < 2
    ? words.join("")
    : `${words.slice(0, -1).join(", ")} ${and} ${words.at(-1) ?? ""}`;
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
