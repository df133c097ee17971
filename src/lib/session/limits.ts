import type { Resources } from "./resources.ts";

/**
 * The resource limits of what runs in a session, soft and hard, as a service of systemd has them
 * (systemd.exec(5)): buildds are services. A limit that this process may not raise stays as it is.
 * Each with its number in setrlimit(2) and its name in /proc/PID/limits; `hard` is unlimited by default.
 */
const wanted = [
  { resource: 0, title: "Max cpu time", soft: Infinity },
  { resource: 1, title: "Max file size", soft: Infinity },
  { resource: 2, title: "Max data size", soft: Infinity },
  { resource: 3, title: "Max stack size", soft: 8 * 1024 ** 2 },
  { resource: 4, title: "Max core file size", soft: 0 },
  { resource: 5, title: "Max resident set", soft: Infinity },
  { resource: 7, title: "Max open files", soft: 1024, hard: 524_288 },
  {
    resource: 8,
    title: "Max locked memory",
    soft: 8 * 1024 ** 2,
    hard: 8 * 1024 ** 2,
  },
];

/** Arguments of supervise.pl that set the limits; `limits` is the text of /proc/self/limits. */
export function limitWords(
  limits: string,
  resources?: Pick<Resources, "cpuMinutes" | "openFiles">,
): readonly string[] {
  const lines = limits.split("\n");
  const configured: Readonly<Record<number, number>> =
    resources === undefined
      ? {}
      : { 0: Math.ceil(resources.cpuMinutes * 60), 7: resources.openFiles };
  return wanted.flatMap((limit) => {
    const { resource, title } = limit;
    const most = configured[resource] ?? limit.hard ?? Infinity;
    const soft = Math.min(limit.soft, most);
    // At the soft limit SIGXCPU tells what ended the process; at the hard one nothing would.
    const hard = resource === 0 ? most + 5 : most;
    const line = lines.find((candidate) => candidate.startsWith(title));
    if (line === undefined) return [];
    const [, own = ""] = line.slice(title.length).trim().split(/ +/);
    const ceiling = own === "unlimited" ? Infinity : Number(own);
    const [low, high] = [soft, hard].map((value) => Math.min(value, ceiling));
    return ["limit", `${resource}:${inWords(low)}:${inWords(high)}`];
  });
}

function inWords(value = 0): string {
  return value === Infinity ? "-1" : String(value);
}
