const of = (events, subject, id) =>
  events.filter(
    (event) => event.subject === subject && event.subject_id === String(id),
  );

/** Never more tickets in flight than `concurrency`, and no two of one source: as the history has it. */
export function checkInFlight(found, { subtickets, events }, concurrency) {
  const sourcesOf = (ticket) =>
    subtickets
      .filter((one) => one.ticket === ticket)
      .map(({ source }) => source);
  const inFlight = new Map();
  for (const { id, subject, subject_id, to_state, ticket } of events) {
    if (subject !== "ppa") continue;
    inFlight.delete(subject_id);
    if (to_state !== "reserved") continue;
    const mine = sourcesOf(ticket);
    for (const other of inFlight.values())
      found.same(
        `event ${id}: tickets ${ticket} and ${other} in flight share no source`,
        sourcesOf(other).filter((source) => mine.includes(source)),
        [],
      );
    inFlight.set(subject_id, ticket);
    found.true(
      `event ${id}: tickets ${[...inFlight.values()].join(", ")} in flight are at most ${concurrency}`,
      inFlight.size <= concurrency,
    );
  }
}

const decides = new Set([
  "passed",
  "failed",
  "cancelled",
  "cancelled too late",
  "set aside",
]);

/** A ticket that was asked to end does so; one that is held does not start. */
export function checkOrders(found, { tickets, events }) {
  for (const { id } of tickets) {
    let held = false;
    let asked = false;
    for (const event of of(events, "ticket", id)) {
      const { what, to_state: to } = event;
      const name = `ticket ${id}: event ${event.id} ${what}`;
      if (what === "held" || to === "draft") held = true;
      else if (what === "queued" || what === "retried") held = false;
      else if (what === "started")
        found.true(`${name}: it was not held`, !held);
      if (what === "cancel asked") asked = true;
      else if (decides.has(what)) {
        found.true(
          `${name}: it was asked to end`,
          !asked || what.startsWith("cancelled"),
        );
        asked = false;
      }
    }
    found.true(`ticket ${id}: it ended as asked`, !asked);
  }
}

const stepOf = { "build-image": 300, "run-tests": 400 };

/** What ended as passed has its tests' results; an override counts once it was made. */
export function checkTests(
  found,
  { subtickets, runs, tests, overrides, events },
  { clock },
) {
  for (const run of runs) {
    const name = `run ${run.id} of ticket ${run.ticket} at ${run.step}`;
    const own = overrides.filter(({ ticket }) => ticket === run.ticket);
    const results = tests.filter((test) => test.run === run.id);
    const mayPassOver = own.some(
      ({ kind, created_at }) =>
        kind === "step" && (clock === "jumps" || created_at <= run.finished_at),
    );
    if (run.step === 400 && run.outcome === "passed" && !mayPassOver) {
      const sources = subtickets
        .filter(({ ticket }) => ticket === run.ticket)
        .map(({ source }) => source);
      found.same(
        `${name} passed: its results`,
        results.map((test) => `${test.package} ${test.result}`).sort(),
        sources.map((source) => `${source} pass`).sort(),
      );
    }
    if (run.step === 400 && run.outcome === "failed")
      found.true(
        `${name} failed: one of its tests did`,
        results.some(({ result }) => result === "fail"),
      );
    if (clock === "jumps") continue;
    for (const { kind, target, created_at, undone_at } of own) {
      if (kind !== "step" || stepOf[target] !== run.step) continue;
      const inForce =
        run.started_at > created_at &&
        (undone_at === null || undone_at > run.finished_at);
      if (inForce)
        found.true(
          `${name}: it was passed over, as ${target} is to be ignored: ${run.outcome} ${run.reason}`,
          run.outcome === "tmpfail" ||
            (run.outcome === "passed" && /ignored: /.test(run.reason)),
        );
    }
  }
  for (const id of new Set(subtickets.map(({ ticket }) => ticket))) {
    const told = (what) =>
      of(events, "ticket", id).filter((event) => event.what === what).length;
    const rows = overrides.filter(({ ticket }) => ticket === id);
    found.same(
      `ticket ${id}: its overrides are those of its history`,
      [rows.length, rows.filter(({ undone_at }) => undone_at).length],
      [told("overridden"), told("override undone")],
    );
  }
}
