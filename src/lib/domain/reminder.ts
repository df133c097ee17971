import type { Suggestion } from "./explain/explanation.ts";

/** Something that a person has to act on, or is told of. */
export interface Matter {
  /** Tells it from all other matters, and from the same one at another time. */
  readonly topic: string;
  /** What it is, in one line. */
  readonly words: string;
  /** Further lines: a reason, the end of a log. */
  readonly details: readonly string[];
  readonly commands: readonly Suggestion[];
}

/** A matter, and whose it is. */
export interface OwnersMatter {
  readonly owner: string;
  readonly matter: Matter;
}

/** Something that an owner is not told, because no mail can go to that address. */
export interface Unmailable {
  readonly to: string;
  readonly words: string;
}

export const unmailableInWords = ({ to, words }: Unmailable): string =>
  `no mail can go to ${JSON.stringify(to)}, which is no mail address: ${words}`;

export const partKinds = ["failed", "published", "testing", "list"] as const;
type PartKind = (typeof partKinds)[number];

/** What a mail says of one kind of matters. */
export interface LetterPart {
  readonly kind: PartKind;
  readonly matters: readonly Matter[];
}

/** A mail to one person, with everything that there is to say. */
export interface Letter {
  readonly to: string;
  readonly parts: readonly LetterPart[];
}

/** That somebody was reminded of a topic: how often, and when last. */
export interface Told {
  readonly recipient: string;
  readonly topic: string;
  readonly times: number;
  /** ISO 8601 UTC. */
  readonly told_at: string;
}

/** Topics of the mail of a day, beside those of single matters. */
const dailyTopics = { testing: "daily: testing", list: "daily: list" } as const;

/** All that reminders depend on, at one moment. */
export interface Situation {
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  /** Hour of the day, UTC, at which the day of reminders begins. */
  readonly hour: number;
  /** What happened since the last pass, for the owners: told once, at once. */
  readonly failed: readonly OwnersMatter[];
  readonly published: readonly OwnersMatter[];
  /** Landings that need testing: told daily. */
  readonly testing: readonly OwnersMatter[];
  /** The list's address, or null. */
  readonly list: string | null;
  /** What needs somebody: told with back-off. */
  readonly needsSomebody: readonly Matter[];
  readonly told: readonly Told[];
  /** Whether an address may be sent anything. */
  readonly mayGet: (address: string) => boolean;
  /** Whether an earlier mail to it has not been sent yet: then it is not reminded again. */
  readonly isWaiting: (address: string) => boolean;
}

/** Mails to send, and of what they remind. */
export interface Reminders {
  readonly letters: readonly Letter[];
  readonly told: readonly Told[];
}

const dayMs = 86_400_000;
const longestGapDays = 30;

/** The form of an address by which it is compared: nobody has two mailboxes that differ in case. */
export const addressKey = (address: string): string => address.toLowerCase();

/**
 * Who is to be sent which reminders now. Everybody gets one mail with all there is for them. Owners are
 * reminded of what needs testing once a day; the list hears of a matter at once, then after a day, and
 * after twice as long each further time, thirty days at most, in one mail a day.
 */
export function dueReminders(situation: Situation): Reminders {
  const { nowMs, hour, told, list } = situation;
  const before = new Map(
    told.map((one) => [`${one.recipient}\n${one.topic}`, one]),
  );
  const dayOf = (ms: number) => Math.floor((ms - hour * 3_600_000) / dayMs);
  /** Days since somebody was told of a topic; null when that never was. */
  const daysSince = (recipient: string, topic: string) => {
    const last = before.get(`${recipient}\n${topic}`);
    if (last === undefined) return null;
    // After the clock was set back, it counts as long ago.
    const days = dayOf(nowMs) - dayOf(Date.parse(last.told_at));
    return days < 0 ? Number.POSITIVE_INFINITY : days;
  };
  const isDue = (recipient: string, { topic }: Matter) => {
    const days = daysSince(recipient, topic);
    const times = before.get(`${recipient}\n${topic}`)?.times ?? 0;
    return days === null || days >= Math.min(2 ** (times - 1), longestGapDays);
  };
  const people = new Map<string, { to: string; parts: LetterPart[] }>();
  const telling: Told[] = [];
  const tell = (recipient: string, topic: string) =>
    telling.push({
      recipient,
      topic,
      times: (before.get(`${recipient}\n${topic}`)?.times ?? 0) + 1,
      told_at: new Date(nowMs).toISOString(),
    });
  const say = (to: string, kind: PartKind, matters: readonly Matter[]) => {
    if (matters.length === 0) return;
    const key = addressKey(to);
    const letter = people.get(key) ?? { to, parts: [] };
    letter.parts.push({ kind, matters });
    people.set(key, letter);
  };
  for (const kind of ["failed", "published"] as const)
    for (const [to, matters] of byOwner(situation, situation[kind]))
      say(to, kind, matters);
  for (const [to, matters] of byOwner(situation, situation.testing)) {
    const key = addressKey(to);
    if (situation.isWaiting(to) || daysSince(key, dailyTopics.testing) === 0)
      continue;
    tell(key, dailyTopics.testing);
    // What is told as published needs no second mention.
    const news = people
      .get(key)
      ?.parts.flatMap((part) => part.matters.map(({ topic }) => topic));
    say(
      to,
      "testing",
      matters.filter(({ topic }) => news?.includes(topic) !== true),
    );
  }
  if (list !== null && situation.mayGet(list) && !situation.isWaiting(list)) {
    const key = addressKey(list);
    const due =
      daysSince(key, dailyTopics.list) === 0
        ? []
        : situation.needsSomebody.filter((matter) => isDue(key, matter));
    if (due.length > 0) tell(key, dailyTopics.list);
    for (const { topic } of due) tell(key, topic);
    say(list, "list", due);
  }
  return { letters: [...people.values()], told: telling };
}

/** Matters by the address of their owner, of those who may get mail. */
function byOwner(
  { mayGet }: Situation,
  all: readonly OwnersMatter[],
): Iterable<[string, Matter[]]> {
  const found = new Map<string, [string, Matter[]]>();
  for (const { owner, matter } of all) {
    if (!mayGet(owner)) continue;
    const known = found.get(addressKey(owner));
    if (known === undefined) found.set(addressKey(owner), [owner, [matter]]);
    else known[1].push(matter);
  }
  return found.values();
}

const inNumbers: Readonly<Record<PartKind, (count: number) => string>> = {
  failed: (count) => `${count} failed`,
  published: (count) => `${count} published`,
  testing: (count) =>
    count === 1 ? "1 landing needs testing" : `${count} landings need testing`,
  list: (count) =>
    count === 1 ? "1 matter needs somebody" : `${count} matters need somebody`,
};

/** The subject of a mail: the only matter there is, or how many there are of each kind. */
export function subjectOf({ parts }: Letter): string {
  const [only, ...others] = parts.flatMap(({ matters }) => matters);
  if (only !== undefined && others.length === 0) return only.words;
  return parts
    .map(({ kind, matters }) => inNumbers[kind](matters.length))
    .join(", ");
}
