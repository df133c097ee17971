/**
 * What commands said that they did (exit 0): it has to be so afterwards, unless a later command changed
 * it. Commands run side by side, and killed ones may or may not have done their work, so what may be there
 * is a set: each write counts until a certain one has begun after it ended.
 */
export class Promises {
  #moment = 0;
  #writes = new Map();
  #claims = [];

  /** What there was in the beginning. */
  initially(key, value) {
    this.#of(key).push({ value, begun: 0, ended: 0, certain: true });
  }

  /** A command that writes this begins; the returned function is called with its exit code, or null. */
  write(key, value) {
    const write = { value, begun: (this.#moment += 1), ended: Infinity };
    this.#of(key).push(write);
    return (code) => {
      write.ended = this.#moment += 1;
      write.certain = code === 0;
      // What refused has done nothing.
      if (code === 2) this.#of(key).splice(this.#of(key).indexOf(write), 1);
    };
  }

  /** A command that exited with 0 promised one of these events on that ticket, after one and up to another. */
  claim(claim) {
    this.#claims.push(claim);
  }

  get claims() {
    return this.#claims;
  }

  get keys() {
    return [...this.#writes.keys()];
  }

  /** What may be there now. */
  possible(key) {
    const writes = this.#of(key);
    const values = writes
      .filter(
        ({ ended }) =>
          !writes.some((other) => other.certain && other.begun > ended),
      )
      .map(({ value }) => value);
    return [...new Set(values)];
  }

  #of(key) {
    const known = this.#writes.get(key);
    if (known !== undefined) return known;
    const writes = [];
    this.#writes.set(key, writes);
    return writes;
  }
}

const fields = {
  "-d": "description",
  "-o": "owner",
  "--priority": "priority",
};

/** What a command writes when it does what it says: [key, value] of each. */
export function writesOf([verb, subject, ...options]) {
  if (verb === "update_ticket")
    return Object.entries(fields).flatMap(([option, field]) => {
      const at = options.indexOf(option);
      return at < 0 ? [] : [[`${field} of ticket ${subject}`, options[at + 1]]];
    });
  if (verb === "qa") return [[`verdict of landing ${subject}`, options[0]]];
  if (verb === "maintenance") return [["maintenance", subject === "on"]];
  return [];
}

/** The event on its ticket that a command promises with exit 0. */
export function eventOf([verb, subject, ...options]) {
  const event = (what, shared = false) => ({
    ticket: Number(subject),
    what,
    shared,
  });
  switch (verb) {
    case "update_ticket":
      if (options.includes("--hold")) return event("held");
      if (options.includes("--queue")) return event("queued");
      return event("updated");
    case "retry":
      return event("retried");
    case "cancel":
      // Two may have asked for the same end.
      return event("cancelled", true);
    case "override":
      return event(
        options.includes("--undo") ? "override undone" : "overridden",
      );
    default:
      return undefined;
  }
}

/** What was promised is so: in the tickets' rows and in the history. */
export function checkPromises(found, { tickets, landings, events }, promises) {
  for (const key of promises.keys) {
    const [, field, what, id] =
      /^(\w+) of (ticket|landing) (\d+)$/.exec(key) ?? [];
    const row =
      what === "landing"
        ? landings.find(({ revision }) => revision === Number(id))
        : tickets.find((one) => one.id === Number(id));
    if (row === undefined) continue;
    const possible = promises.possible(key);
    const value = String(row[field === "verdict" ? "qa" : field]);
    found.true(
      `the ${key} is what was said: ${value}, of ${possible.join(", ")}`,
      possible.includes(value),
    );
  }
  const taken = new Set();
  const claims = [...promises.claims].sort((one, two) => one.until - two.until);
  for (const { ticket, what, shared, after, until, args } of claims) {
    const event = events.find(
      (one) =>
        one.subject === "ticket" &&
        one.subject_id === String(ticket) &&
        one.what === what &&
        one.id > after &&
        one.id <= until &&
        (shared || !taken.has(one.id)),
    );
    found.true(
      `${args.join(" ")} exited with 0: there is its event ${what} of ${after} to ${until}`,
      event !== undefined,
    );
    if (event !== undefined && !shared) taken.add(event.id);
  }
}
