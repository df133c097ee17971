import type { CommandModule } from "./command.ts";

interface CommandEntry {
  readonly summary: string;
  /** Whether it changes something, or which of its verbs do: those stop in maintenance. */
  readonly changes: boolean | readonly string[];
  readonly load: () => Promise<{ command: CommandModule }>;
  /** Stays who called it, where the others become the state's owner when root calls them. */
  readonly staysCaller?: boolean;
}

/**
 * Every command, by its name as the documentation spells it. Only the one that was asked for is
 * loaded: importing them all would cost more than most of them do.
 */
export const commands: Readonly<Record<string, CommandEntry>> = {
  create_ticket: {
    summary: "create a ticket from signed source packages",
    changes: true,
    load: () => import("./create-ticket.ts"),
  },
  update_ticket: {
    summary: "change, queue or hold a ticket",
    changes: true,
    load: () => import("./update-ticket.ts"),
  },
  status: {
    summary: "show tickets",
    changes: false,
    load: () => import("./status.ts"),
  },
  get_image: {
    summary: "fetch the image a ticket produced",
    changes: false,
    load: () => import("./get-image.ts"),
  },
  get_artifact: {
    summary: "fetch a log, a result or another file of a ticket",
    changes: false,
    load: () => import("./get-artifact.ts"),
  },
  explain: {
    summary: "say why a ticket is where it is, and what comes next",
    changes: false,
    load: () => import("./explain.ts"),
  },
  cancel: {
    summary: "end a ticket, and what works on it",
    changes: true,
    load: () => import("./cancel.ts"),
  },
  retry: {
    summary: "try a failed or cancelled ticket again",
    changes: true,
    load: () => import("./retry.ts"),
  },
  // Without options it only lists; what it changes is held back under its lock.
  override: {
    summary: "ignore a step, an architecture or a test of a ticket",
    changes: false,
    load: () => import("./override.ts"),
  },
  land: {
    summary: "take tickets through all steps",
    changes: true,
    load: () => import("./land.ts"),
  },
  "assign-ppa": {
    summary: "step 100: reserve a PPA of the pool",
    changes: true,
    load: () => import("./assign-ppa.ts"),
  },
  "build-source": {
    summary: "step 200: build the source packages",
    changes: true,
    load: () => import("./build-source.ts"),
  },
  "build-image": {
    summary: "step 300: make the system image",
    changes: true,
    load: () => import("./build-image.ts"),
  },
  "run-tests": {
    summary: "step 400: run the packages' autopkgtests on the image",
    changes: true,
    load: () => import("./run-tests.ts"),
  },
  publish: {
    summary: "step 500: publish into the archive",
    changes: true,
    load: () => import("./publish.ts"),
  },
  "release-ppa": {
    summary: "give back the PPA of an ended ticket",
    changes: true,
    load: () => import("./release-ppa.ts"),
  },
  "clean-ppas": {
    summary: "empty the PPAs that were given back",
    changes: true,
    load: () => import("./clean-ppas.ts"),
  },
  ppa: {
    summary: "list the pool, add to it, fill it",
    changes: ["add", "populate"],
    load: () => import("./ppa.ts"),
  },
  "apt-source": {
    summary: "print the apt source of the archive or a PPA",
    changes: false,
    load: () => import("./apt-source.ts"),
  },
  archive: {
    summary: "list, show and revert revisions of the archive",
    changes: ["revert"],
    load: () => import("./archive.ts"),
  },
  uploaders: {
    summary: "whose signatures admission accepts",
    changes: ["add", "remove"],
    load: () => import("./uploaders.ts"),
  },
  // Tells everybody that maintenance is on, so it is not held back itself.
  "shepherd-report": {
    summary: "write the static report",
    changes: false,
    load: () => import("./shepherd-report.ts"),
  },
  init: {
    summary: "make the state folder, key, pool and bases",
    changes: true,
    load: () => import("./init.ts"),
  },
  "refresh-bases": {
    summary: "make the bases anew from the mirror",
    changes: true,
    load: () => import("./refresh-bases.ts"),
  },
  backup: {
    summary: "copy everything the state needs to come back into one file",
    changes: false,
    load: () => import("./backup.ts"),
  },
  restore: {
    summary: "make the state what a backup says it was",
    changes: false,
    load: () => import("./restore.ts"),
  },
  expire: {
    summary: "remove what the policy says, and what killed processes left",
    changes: true,
    load: () => import("./expire.ts"),
  },
  fsck: {
    summary: "look whether state and disk agree, and mend what is safe",
    changes: false,
    load: () => import("./fsck.ts"),
  },
  maintenance: {
    summary: "hold every changing command back, or not",
    changes: false,
    load: () => import("./maintenance.ts"),
  },
  upgrade: {
    summary: "change the program for a newer one, or back",
    // It does, but it looks at the toggle itself: one that was interrupted left it on.
    changes: false,
    load: () => import("./upgrade.ts"),
    staysCaller: true,
  },
  check: {
    summary: "say in one line whether all is well, for monitoring",
    changes: false,
    load: () => import("./check.ts"),
  },
  doctor: {
    summary: "say whether this machine can do each step",
    changes: false,
    load: () => import("./doctor.ts"),
  },
  locks: {
    summary: "list the locks that are held",
    changes: false,
    load: () => import("./locks.ts"),
  },
  log: {
    summary: "what happened and why, as it happens with --follow",
    changes: false,
    load: () => import("./log.ts"),
  },
  completion: {
    summary: "print a script that completes all this in your shell",
    changes: false,
    load: () => import("./completion.ts"),
  },
  config: {
    summary: "show the effective configuration",
    changes: false,
    load: () => import("./config.ts"),
  },
};

/** The name with hyphens for underscores, or the other way round; the same where it has neither. */
export function otherSpelling(name: string): string {
  return name.includes("_")
    ? name.replaceAll("_", "-")
    : name.replaceAll("-", "_");
}

/** The documented name for any spelling: underscores and hyphens are alike. */
export function commandName(spelling: string): string | undefined {
  const wanted = spelling.replaceAll("_", "-");
  return Object.keys(commands).find(
    (name) => name.replaceAll("_", "-") === wanted,
  );
}
