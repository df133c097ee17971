import type { CommandEntry, topics } from "../cli/command.ts";

/**
 * Every command by its documented name. To add one: a file in its topic's folder that exports `command`
 * (cli/command.ts), an entry here, then maintenance/make-bin makes its executable. Modules are loaded on demand: importing them all would cost more
 * than most commands do.
 */
export const commands: Readonly<Record<string, CommandEntry>> = {
  ...about("tickets", {
    create_ticket: {
      summary: "create a ticket from signed source packages",
      load: () => import("./tickets/create-ticket.ts"),
    },
    update_ticket: {
      summary: "change, queue or hold a ticket",
      load: () => import("./tickets/update-ticket.ts"),
    },
    status: {
      summary: "show tickets",
      load: () => import("./tickets/status.ts"),
    },
    get_image: {
      summary: "fetch the image a ticket produced",
      load: () => import("./tickets/get-image.ts"),
    },
    get_artifact: {
      summary: "fetch a log, a result or another file of a ticket",
      load: () => import("./tickets/get-artifact.ts"),
    },
    explain: {
      summary: "say why a ticket is where it is, and what comes next",
      load: () => import("./tickets/explain.ts"),
    },
    log: {
      summary: "what happened and why, as it happens with --follow",
      load: () => import("./tickets/log.ts"),
    },
    cancel: {
      summary: "end a ticket, and what works on it",
      load: () => import("./tickets/cancel.ts"),
    },
    retry: {
      summary: "try a failed or cancelled ticket again",
      load: () => import("./tickets/retry.ts"),
    },
    override: {
      summary: "ignore a step, an architecture or a test of a ticket",
      load: () => import("./tickets/override.ts"),
    },
  }),
  ...about("steps", {
    land: {
      summary: "take tickets through all steps",
      load: () => import("./steps/land.ts"),
    },
    "assign-ppa": {
      summary: "step 100: reserve a PPA of the pool",
      load: () => import("./steps/assign-ppa.ts"),
    },
    "build-source": {
      summary: "step 200: build the source packages",
      load: () => import("./steps/build-source.ts"),
    },
    "build-image": {
      summary: "step 300: make the system image",
      load: () => import("./steps/build-image.ts"),
    },
    "run-tests": {
      summary: "step 400: run the packages' autopkgtests on the image",
      load: () => import("./steps/run-tests.ts"),
    },
    publish: {
      summary: "step 500: publish into the archive",
      load: () => import("./steps/publish.ts"),
    },
  }),
  ...about("pool", {
    "release-ppa": {
      summary: "give back the PPA of an ended ticket",
      load: () => import("./pool/release-ppa.ts"),
    },
    "clean-ppas": {
      summary: "empty the PPAs that were given back",
      load: () => import("./pool/clean-ppas.ts"),
    },
    ppa: {
      summary: "list the pool, add to it, fill it",
      load: () => import("./pool/ppa.ts"),
    },
  }),
  ...about("archive", {
    "apt-source": {
      summary: "print the apt source of the archive or a PPA",
      load: () => import("./archive/apt-source.ts"),
    },
    archive: {
      summary: "list, show and revert revisions of the archive",
      load: () => import("./archive/archive.ts"),
    },
  }),
  ...about("shepherd", {
    landings: {
      summary: "what landed, and which revision may be deployed",
      speaksTo: "tickets",
      load: () => import("./shepherd/landings.ts"),
    },
    qa: {
      summary: "say what was found out about a landing",
      speaksTo: "tickets",
      load: () => import("./shepherd/qa.ts"),
    },
    remind: {
      summary: "mail owners and the list what needs them",
      load: () => import("./shepherd/remind.ts"),
    },
    policy: {
      summary: "what a ticket needs before it is published",
      load: () => import("./shepherd/policy.ts"),
    },
    "shepherd-report": {
      summary: "write the static report",
      load: () => import("./shepherd/shepherd-report.ts"),
    },
    "verify-report": {
      summary: "say whether a copy of the report is as it was signed",
      load: () => import("./shepherd/verify-report.ts"),
    },
  }),
  ...about("upkeep", {
    backup: {
      summary: "copy everything the state needs to come back into one file",
      load: () => import("./upkeep/backup.ts"),
    },
    restore: {
      summary: "make the state what a backup says it was",
      load: () => import("./upkeep/restore.ts"),
    },
    expire: {
      summary: "remove what the policy says, and what killed processes left",
      load: () => import("./upkeep/expire.ts"),
    },
    fsck: {
      summary: "look whether state and disk agree, and mend what is safe",
      load: () => import("./upkeep/fsck.ts"),
    },
    maintenance: {
      summary: "hold every changing command back, or not",
      load: () => import("./upkeep/maintenance.ts"),
    },
    check: {
      summary: "say in one line whether all is well, for monitoring",
      load: () => import("./upkeep/check.ts"),
    },
    locks: {
      summary: "list the locks that are held",
      load: () => import("./upkeep/locks.ts"),
    },
  }),
  ...about("installation", {
    uploaders: {
      summary: "whose signatures admission accepts",
      load: () => import("./installation/uploaders.ts"),
    },
    init: {
      summary: "make the state folder, key, pool and bases",
      load: () => import("./installation/init.ts"),
    },
    "refresh-bases": {
      summary: "make the bases anew from the mirror",
      load: () => import("./installation/refresh-bases.ts"),
    },
    upgrade: {
      summary: "change the program for a newer one, or back",
      load: () => import("./installation/upgrade.ts"),
    },
    doctor: {
      summary: "say whether this machine can do each step",
      load: () => import("./installation/doctor.ts"),
    },
    completion: {
      summary: "print a script that completes all this in your shell",
      load: () => import("./installation/completion.ts"),
    },
    config: {
      summary: "show the effective configuration",
      load: () => import("./installation/config.ts"),
    },
  }),
};

function about(
  topic: keyof typeof topics,
  entries: Readonly<Record<string, Omit<CommandEntry, "topic">>>,
): Record<string, CommandEntry> {
  return Object.fromEntries(
    Object.entries(entries).map(([name, entry]) => [name, { topic, ...entry }]),
  );
}

/** The name with hyphens for underscores, or the reverse; unchanged when it has neither. */
export function otherSpelling(name: string): string {
  return name.includes("_")
    ? name.replaceAll("_", "-")
    : name.replaceAll("-", "_");
}

/** The documented name for either spelling. */
export function commandName(spelling: string): string | undefined {
  const wanted = spelling.replaceAll("_", "-");
  return Object.keys(commands).find(
    (name) => name.replaceAll("_", "-") === wanted,
  );
}
