/** The sources of a round: what each does in which backend is in its name. */
const sources = [
  "anchor",
  "beacon",
  "compass",
  "dinghy",
  "ensign",
  "fender",
  "galley",
  "halyard",
  "slow-build",
  "slow-test",
  "slow-archive",
  "tool-build",
  "tool-test",
  "bad-build",
  "bad-test",
  "bad-archive",
  "weak-build",
  "weak-test",
  "weak-archive",
];

const knobs = (backend, usual = "pass") =>
  [
    usual,
    `slow-${backend}=slow@150`,
    `bad-${backend}=fail`,
    `weak-${backend}=tmpfail`,
    ...(backend === "archive" ? [] : [`tool-${backend}=tool@150`]),
  ].join(",");

/** The configuration of a round's installation. */
export function configuration(random, { builds, ...change } = {}) {
  const concurrency = random.whole(1, 3);
  return {
    series: ["bookworm"],
    builder: "fake",
    imager: "fake",
    tester: "fake",
    archiveKeeper: "fake",
    admission: { signatures: "optional" },
    concurrency,
    build: { parallel: random.whole(1, 2) },
    // Fewer PPAs than tickets now and then: some have to wait for one.
    // Where the clock jumps, revisions would be old enough to go.
    expire: { revisionsDays: 0 },
    ppa: { pool: random.whole(Math.max(1, concurrency - 1), concurrency + 1) },
    // Some rounds run out of retries, most do not.
    retry: { limit: random.pick([1, 3, 30, 30]), firstDelaySeconds: 0 },
    fake: {
      builder: knobs("build", builds),
      imager: "pass",
      tester: knobs("test"),
      archive: knobs("archive"),
    },
    ...change,
  };
}

/** Tickets without end: one to three sources each, the versions of a source rising. */
export function ticketStream(random) {
  const versions = new Map();
  let count = 0;
  return () => {
    count += 1;
    const names = new Set([random.pick(sources)]);
    while (random.chance(0.3) && names.size < 3)
      names.add(random.pick(sources));
    const wanted = [...names].map((source) => {
      const version = (versions.get(source) ?? 0) + 1;
      versions.set(source, version);
      return { source, version: `1.${version}` };
    });
    return {
      title: `work ${count}`,
      sources: wanted,
      priority: random.chance(0.3) ? random.whole(1, 3) : 0,
      held: random.chance(0.1),
    };
  };
}
