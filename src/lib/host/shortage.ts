import { readFile, statfs } from "node:fs/promises";

import { ifExists } from "../files/optional-file.ts";

/** What this machine fell short of, in words. */
export type Shortage = string;

/** Free space and free inodes below which a disk counts as full: what is needed to end in order. */
const fullBelow = { bytes: 16 * 1024 ** 2, files: 16 };

/** Begins to watch for shortages; `shortage` tells afterwards what there was. */
export async function watchMachine(
  folder: string,
  root = "",
): Promise<{
  /** What the machine fell short of since, or falls short of now. */
  shortage(): Promise<Shortage | undefined>;
}> {
  const killed = await memoryKills(root);
  return {
    async shortage() {
      if ((await memoryKills(root)) > killed)
        return "the machine ran out of memory, and the kernel ended a process";
      const disk = await statfs(folder);
      const free = disk.bavail * disk.bsize;
      // Some file systems have no fixed number of inodes, and say 0 of 0.
      const noInodes = disk.files > 0 && disk.ffree < fullBelow.files;
      if (free < fullBelow.bytes || noInodes)
        return "the disk of the state folder is full";
      return undefined;
    },
  };
}

/**
 * How many processes the kernel has ended for want of memory: in this process' control group, in which
 * sessions are, too; without one, on the machine.
 */
export async function memoryKills(root = ""): Promise<number> {
  const read = (file: string) =>
    ifExists(readFile(`${root}${file}`, "utf8")).catch(() => undefined);
  const groups = groupFiles((await read("/proc/self/cgroup")) ?? "");
  for (const file of [...groups, "/proc/vmstat"]) {
    const count = /^oom_kill ([0-9]+)$/m.exec((await read(file)) ?? "")?.[1];
    if (count !== undefined) return Number(count);
  }
  return 0;
}

/** The files that count, by the text of /proc/self/cgroup (cgroups(7)): version 2, then 1. */
function groupFiles(text: string): readonly string[] {
  const lines = text.split("\n").map((line) => line.split(":"));
  const of = (wanted: (controllers: string) => boolean) =>
    lines.find(([, controllers = ""]) => wanted(controllers))?.[2];
  const unified = of((controllers) => controllers === "");
  const memory = of((controllers) => controllers.split(",").includes("memory"));
  return [
    ...(unified === undefined
      ? []
      : [`/sys/fs/cgroup${unified}/memory.events`]),
    ...(memory === undefined
      ? []
      : [`/sys/fs/cgroup/memory${memory}/memory.oom_control`]),
  ];
}
