import type { CommandEntry } from "../cli/command.ts";

/**
 * Every command, by its name as the documentation spells it. Only the one that was asked for is
 * loaded: importing them all would cost more than most of them do.
 */
export const commands: Readonly<Record<string, CommandEntry>> = {
  create_ticket: {
    topic: "tickets",
    speaksTo: "tickets",
    summary: "create a ticket from signed source packages",
    changes: true,
    load: () => import("./tickets/create-ticket.ts"),
  },
  update_ticket: {
    topic: "tickets",
    speaksTo: "tickets",
    summary: "change, queue or hold a ticket",
    changes: true,
    load: () => import("./tickets/update-ticket.ts"),
  },
  status: {
    topic: "tickets",
    speaksTo: "tickets",
    summary: "show tickets",
    changes: false,
    load: () => import("./tickets/status.ts"),
  },
  get_image: {
    topic: "tickets",
    speaksTo: "tickets",
    summary: "fetch the image a ticket produced",
    changes: false,
    load: () => import("./tickets/get-image.ts"),
  },
  get_artifact: {
    topic: "tickets",
    speaksTo: "tickets",
    summary: "fetch a log, a result or another file of a ticket",
    changes: false,
    load: () => import("./tickets/get-artifact.ts"),
  },
  explain: {
    topic: "tickets",
    speaksTo: "tickets",
    summary: "say why a ticket is where it is, and what comes next",
    changes: false,
    load: () => import("./tickets/explain.ts"),
  },
  cancel: {
    topic: "tickets",
    speaksTo: "tickets",
    summary: "end a ticket, and what works on it",
    changes: true,
    load: () => import("./tickets/cancel.ts"),
  },
  retry: {
    topic: "tickets",
    speaksTo: "tickets",
    summary: "try a failed or cancelled ticket again",
    changes: true,
    load: () => import("./tickets/retry.ts"),
  },
  // Without options it only lists; what it changes is held back under its lock.
  override: {
    topic: "tickets",
    speaksTo: "tickets",
    summary: "ignore a step, an architecture or a test of a ticket",
    changes: false,
    load: () => import("./tickets/override.ts"),
  },
  land: {
    topic: "steps",
    speaksTo: "installation",
    summary: "take tickets through all steps",
    changes: true,
    load: () => import("./steps/land.ts"),
  },
  "assign-ppa": {
    topic: "steps",
    speaksTo: "installation",
    summary: "step 100: reserve a PPA of the pool",
    changes: true,
    load: () => import("./steps/assign-ppa.ts"),
  },
  "build-source": {
    topic: "steps",
    speaksTo: "installation",
    summary: "step 200: build the source packages",
    changes: true,
    load: () => import("./steps/build-source.ts"),
  },
  "build-image": {
    topic: "steps",
    speaksTo: "installation",
    summary: "step 300: make the system image",
    changes: true,
    load: () => import("./steps/build-image.ts"),
  },
  "run-tests": {
    topic: "steps",
    speaksTo: "installation",
    summary: "step 400: run the packages' autopkgtests on the image",
    changes: true,
    load: () => import("./steps/run-tests.ts"),
  },
  publish: {
    topic: "steps",
    speaksTo: "installation",
    summary: "step 500: publish into the archive",
    changes: true,
    load: () => import("./steps/publish.ts"),
  },
  "release-ppa": {
    topic: "pool",
    speaksTo: "installation",
    summary: "give back the PPA of an ended ticket",
    changes: true,
    load: () => import("./pool/release-ppa.ts"),
  },
  "clean-ppas": {
    topic: "pool",
    speaksTo: "installation",
    summary: "empty the PPAs that were given back",
    changes: true,
    load: () => import("./pool/clean-ppas.ts"),
  },
  ppa: {
    topic: "pool",
    speaksTo: "installation",
    summary: "list the pool, add to it, fill it",
    changes: ["add", "populate"],
    load: () => import("./pool/ppa.ts"),
  },
  "apt-source": {
    topic: "archive",
    speaksTo: "installation",
    summary: "print the apt source of the archive or a PPA",
    changes: false,
    load: () => import("./archive/apt-source.ts"),
  },
  archive: {
    topic: "archive",
    speaksTo: "installation",
    summary: "list, show and revert revisions of the archive",
    changes: ["revert"],
    load: () => import("./archive/archive.ts"),
  },
  uploaders: {
    topic: "installation",
    speaksTo: "installation",
    summary: "whose signatures admission accepts",
    changes: ["add", "remove"],
    load: () => import("./installation/uploaders.ts"),
  },
  // Tells everybody that maintenance is on, so it is not held back itself.
  "shepherd-report": {
    topic: "shepherd",
    speaksTo: "installation",
    summary: "write the static report",
    changes: false,
    load: () => import("./shepherd/shepherd-report.ts"),
  },
  init: {
    topic: "installation",
    speaksTo: "installation",
    summary: "make the state folder, key, pool and bases",
    changes: true,
    load: () => import("./installation/init.ts"),
    state: "begins",
  },
  "refresh-bases": {
    topic: "installation",
    speaksTo: "installation",
    summary: "make the bases anew from the mirror",
    changes: true,
    load: () => import("./installation/refresh-bases.ts"),
  },
  backup: {
    topic: "upkeep",
    speaksTo: "installation",
    summary: "copy everything the state needs to come back into one file",
    changes: false,
    load: () => import("./upkeep/backup.ts"),
  },
  restore: {
    topic: "upkeep",
    speaksTo: "installation",
    summary: "make the state what a backup says it was",
    changes: false,
    load: () => import("./upkeep/restore.ts"),
    state: "begins",
  },
  expire: {
    topic: "upkeep",
    speaksTo: "installation",
    summary: "remove what the policy says, and what killed processes left",
    changes: true,
    load: () => import("./upkeep/expire.ts"),
  },
  fsck: {
    topic: "upkeep",
    speaksTo: "installation",
    summary: "look whether state and disk agree, and mend what is safe",
    changes: false,
    load: () => import("./upkeep/fsck.ts"),
  },
  maintenance: {
    topic: "upkeep",
    speaksTo: "installation",
    summary: "hold every changing command back, or not",
    changes: false,
    load: () => import("./upkeep/maintenance.ts"),
  },
  upgrade: {
    topic: "installation",
    speaksTo: "installation",
    summary: "change the program for a newer one, or back",
    // It does, but it looks at the toggle itself: one that was interrupted left it on.
    changes: false,
    load: () => import("./installation/upgrade.ts"),
    staysCaller: true,
    state: "optional",
  },
  check: {
    topic: "upkeep",
    speaksTo: "installation",
    summary: "say in one line whether all is well, for monitoring",
    changes: false,
    load: () => import("./upkeep/check.ts"),
    // Where there is none, that is what it finds.
    state: "optional",
  },
  doctor: {
    topic: "installation",
    speaksTo: "installation",
    summary: "say whether this machine can do each step",
    changes: false,
    load: () => import("./installation/doctor.ts"),
    state: "optional",
  },
  locks: {
    topic: "upkeep",
    speaksTo: "installation",
    summary: "list the locks that are held",
    changes: false,
    load: () => import("./upkeep/locks.ts"),
  },
  log: {
    topic: "upkeep",
    speaksTo: "tickets",
    summary: "what happened and why, as it happens with --follow",
    changes: false,
    load: () => import("./upkeep/log.ts"),
  },
  completion: {
    topic: "installation",
    speaksTo: "installation",
    summary: "print a script that completes all this in your shell",
    changes: false,
    load: () => import("./installation/completion.ts"),
    staysCaller: true,
    state: "none",
  },
  config: {
    topic: "installation",
    speaksTo: "installation",
    summary: "show the effective configuration",
    changes: false,
    load: () => import("./installation/config.ts"),
    state: "optional",
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
