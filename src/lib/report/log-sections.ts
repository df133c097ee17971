/** A part of a log; its lines are counted from 1. */
export interface LogSection {
  readonly title: string;
  /** 2: a part of what the section of level 1 before it does. */
  readonly level: 1 | 2;
  readonly from: number;
  /** Its last line; below `from` when it has none. */
  readonly to: number;
  /** How long it took, where the log says so. */
  readonly seconds: number | null;
  /** The result of the test that it is of: `PASS`, `FAIL`. */
  readonly result: string | null;
}

/** A line in which autopkgtest says how a test ended. */
export interface ResultLine {
  readonly test: string;
  readonly result: string;
  /** Whether it stands in the section of that test, and not in the summary or in what a test printed. */
  readonly isOwn: boolean;
}

/** Divides a log into sections while it is read. */
export interface SectionFinder {
  /** Takes the next line, and says whether it has a test's result. */
  line(text: string, number: number): ResultLine | null;
  /** @param lines how many the log has */
  end(lines: number): readonly LogSection[];
}

/** No log has more sections, lest one that is made of titles alone fills the memory. */
const mostSections = 1000;

/** Fewer lines than this are no section of their own, where one command follows the other. */
const fewLines = 10;

/** A section while it is being read. */
interface Begun {
  title: string;
  readonly level: 1 | 2;
  readonly from: number;
  to: number;
  /** In seconds of the day. */
  readonly began: number | null;
  ended: number | null;
  result: string | null;
  /** Whether it is made of commands with few lines each. */
  isGroup: boolean;
}

/**
 * Finds the sections of the logs of sbuild, of autopkgtest, of debhelper's commands, and of what our own
 * backends run.
 */
export function sectionFinder(): SectionFinder {
  const sections: Begun[] = [];
  let time: number | null = null;
  let before = "";
  /** What our own backends made this log of; their commands are titles in no other log. */
  let isOurs = false;
  let isAutopkgtest = false;
  /** The test whose result the next line has. */
  let resultOf: string | null = null;

  const close = (to: number) => {
    const last = sections.at(-1);
    if (last === undefined) return;
    last.to = to;
    last.ended = time;
    if (last.level === 1) return;
    last.isGroup = to - last.from + 1 < fewLines;
    const group = sections.at(-2);
    if (!last.isGroup || group?.isGroup !== true) return;
    group.to = to;
    const [first = ""] = group.title.split(groupDash);
    group.title = `${first}${groupDash}${last.title}`;
    sections.pop();
  };
  const begin = (
    level: 1 | 2,
    title: string,
    from: number,
    began: number | null = null,
  ) => {
    if (sections.length >= mostSections) return;
    close(from - 1);
    sections.push({
      title: title.length > 100 ? `${title.slice(0, 100)}…` : title,
      level,
      from,
      to: from,
      began,
      ended: null,
      result: null,
      isGroup: false,
    });
  };

  const autopkgtest = (text: string, number: number): void => {
    const [, hours, minutes, seconds, what = ""] = stamped.exec(text) ?? [];
    if (hours === undefined) return;
    isAutopkgtest = true;
    time = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
    const part = /^@{20} (.*)$/.exec(what)?.[1];
    if (part !== undefined) begin(1, part, number, time);
    const [, test = "", phase = ""] =
      /^test (\S+): (preparing testbed$|\[-|.* results )/.exec(what) ?? [];
    if (phase.startsWith("p"))
      begin(1, `test ${test}: preparing`, number, time);
    else if (phase === "[-") begin(1, `test ${test}`, number, time);
    else if (phase !== "") resultOf = test;
  };

  return {
    line(text, number) {
      if (number === 1) {
        begin(1, "", 1);
        isOurs = /^(?:Build|Image) of \S/.test(text);
      }
      const previous = before;
      before = text;
      switch (text.charAt(0)) {
        case "a":
          if (text.startsWith("autopkgtest [")) {
            autopkgtest(text, number);
            return null;
          }
          break;
        case "|": {
          const title = /^\| (\S.*)\|$/.exec(text)?.[1]?.trim();
          if (title !== undefined && border.test(previous))
            begin(1, title, number - 1);
          break;
        }
        case " ": {
          const command = debhelper.exec(text)?.[1];
          if (command !== undefined) begin(2, command, number);
          break;
        }
        case "$":
          if (isOurs && text.startsWith("$ ")) begin(1, text, number);
          break;
        case "d":
          if (isOurs && text.startsWith("dpkg-source: info: extracting "))
            begin(1, "unpack the source", number);
          break;
        case "s":
          // Our own backends end a log so.
          if (text.startsWith("stages: ") && outcome.test(previous))
            begin(1, "result", number - 1);
          break;
        default:
      }
      const own = resultOf;
      resultOf = null;
      if (!isAutopkgtest) return null;
      const [, test, result] = testResult.exec(text) ?? [];
      if (test === undefined || result === undefined) return null;
      const section = sections.at(-1);
      const isOwn = own === test;
      if (isOwn && section?.title === `test ${test}`) section.result = result;
      return { test, result, isOwn };
    },
    end(lines) {
      close(lines);
      const [first] = sections;
      // What comes before the first title has none.
      if (first?.title === "")
        first.title = sections.length === 1 ? "the whole log" : "beginning";
      return sections
        .filter(({ from, to }) => from <= to)
        .map(({ title, level, from, to, began, ended, result }) => ({
          title,
          level,
          from,
          to,
          // The day may end meanwhile.
          seconds:
            began === null || ended === null
              ? null
              : (ended - began + 86_400) % 86_400,
          result,
        }));
    },
  };
}

const groupDash = " … ";
const stamped = /^autopkgtest \[(\d\d):(\d\d):(\d\d)\]: (.*)$/;
const border = /^\+[-=]{20,}\+$/;
/** debhelper and dpkg-buildpackage say before each command what they run. */
const debhelper = /^ {1,3}(dh_\S.*|debian\/rules \S+)$/;
const outcome = /^(?:passed|failed|tmpfail)(?:: .*)?$/;
const testResult = /^(\S+) +(PASS|FAIL|SKIP|FLAKY|BROKEN)\b/;
