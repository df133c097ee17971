import { readdir, readFile } from "node:fs/promises";

const everyMs = 2000;

/**
 * Watches the memory of a process and all that descends from it, in whatever namespaces, until it is
 * stopped; as holder.pl does for a session, whose processes it sees alone.
 *
 * @param exceeded called once, when they use more than the limit
 */
export function watchMemory(
  pid: number,
  limitMiB: number,
  exceeded: () => void,
): { stop(): void } {
  let isBusy = false;
  const timer = setInterval(() => {
    if (isBusy) return;
    isBusy = true;
    void usesMore(pid, limitMiB * 1024)
      .then((isMore) => {
        if (!isMore) return;
        stop();
        exceeded();
      })
      .finally(() => (isBusy = false));
  }, everyMs);
  timer.unref();
  const stop = () => clearInterval(timer);
  return { stop };
}

async function usesMore(top: number, limitKiB: number): Promise<boolean> {
  const pids = await descendants(top);
  const sum = async (of: (pid: number) => Promise<number>) =>
    (await Promise.all(pids.map(of))).reduce((all, one) => all + one, 0);
  // Pages that belong to no file. Those that processes share count for each of them, so that a share of
  // each is added up, which takes longer, only where it may matter.
  const atMost = await sum(async (pid) => {
    const [, resident = 0, shared = 0] = (await read(pid, "statm"))
      .split(" ")
      .map(Number);
    return (resident - shared) * 4;
  });
  if (atMost < limitKiB) return false;
  const used = await sum(async (pid) =>
    Number(
      /^Pss:\s+([0-9]+) kB/m.exec(await read(pid, "smaps_rollup"))?.[1] ?? 0,
    ),
  );
  return used > limitKiB;
}

/** The process itself, and its descendants. */
async function descendants(top: number): Promise<readonly number[]> {
  const children = new Map<number, number[]>();
  const names = (await readdir("/proc")).filter((name) =>
    /^[0-9]+$/.test(name),
  );
  await Promise.all(
    names.map(async (name) => {
      const text = await read(Number(name), "stat");
      // The name of the program, which may be anything, is in brackets before it (proc(5)).
      const [, parent] = text.slice(text.lastIndexOf(")") + 2).split(" ");
      const known = children.get(Number(parent)) ?? [];
      children.set(Number(parent), [...known, Number(name)]);
    }),
  );
  const found = [top];
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found;
}

/** A file of a process; nothing once that has ended. */
async function read(pid: number, file: string): Promise<string> {
  return readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "");
}
