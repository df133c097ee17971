import { createHash } from "node:crypto";
import {
  closeSync,
  fchmodSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { copyFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { crashPoint } from "../files/crash-point.ts";
import { besidePath, digestFile, isUnfinished } from "../files/atomic-file.ts";
import { publicFile } from "../files/modes.ts";
import { ifExistsSync } from "../files/optional-file.ts";
import { makePublicFolder } from "../files/public-files.ts";
import type { Sums } from "./sums.ts";
import { formatSums, parseSums, signatureFile, sumsFile } from "./sums.ts";

/** A list of checksums was changed by others: the whole report has to be made. */
export class DamagedList extends Error {}

/** What is written of a folder in one report. */
interface Part {
  readonly sums: Sums;
  /** Whether all of it is written, so that other files in it are removed. */
  readonly whole: boolean;
}

/**
 * The folder of a report. Each file in it is written at once or not at all, only where its contents
 * changed, and gets its line in the list of checksums of its folder: the first two folders of a path have
 * one each. Files are not flushed one by one; the caller flushes the file system at the end.
 */
export class Site {
  readonly #output: string;
  readonly #all: boolean;
  readonly #parts = new Map<string, Part>();
  /** How many files were written, and how many were as they should be. */
  written = 0;
  unchanged = 0;

  /** @param all whether everything in the report is written or kept */
  constructor(output: string, all: boolean) {
    this.#output = output;
    this.#all = all;
  }

  /** Absolute path of a file. */
  pathOf(path: string): string {
    return join(this.#output, path);
  }

  /** Everything in this folder is written in this report: what is not is removed by {@link close}. */
  whole(folder: string): void {
    this.#parts.set(folder, { sums: new Map(), whole: true });
  }

  /** Writes a file. */
  write(path: string, contents: string): void {
    const file = this.pathOf(path);
    this.#list(path, sha256(contents));
    if (ifExistsSync(() => readFileSync(file, "utf8")) === contents) {
      this.unchanged += 1;
      return;
    }
    replace(file, contents);
    this.written += 1;
  }

  /** Gives a file that already exists a place in the report: a hard link where possible, else a copy. */
  async place(path: string, original: string, sum: string): Promise<void> {
    const found = ifExistsSync(() => statSync(original));
    if (found === undefined) return;
    const file = this.pathOf(path);
    const there = ifExistsSync(() => statSync(file));
    const isSame =
      there !== undefined &&
      ((there.ino === found.ino && there.dev === found.dev) ||
        (there.size === found.size && there.mtimeMs >= found.mtimeMs));
    if (!isSame) {
      makePublicFolder(dirname(file));
      const temporary = besidePath(file);
      try {
        try {
          linkSync(original, temporary);
        } catch {
          // On another file system, or another user's.
          await copyFile(original, temporary);
        }
        makePublic(temporary);
        renameSync(temporary, file);
      } finally {
        // Two names of one file are both left by rename(2).
        rmSync(temporary, { force: true });
      }
    }
    this.#list(path, sum);
  }

  /** Lists a file that is written after the lists. */
  announce(path: string, contents: string): void {
    this.#list(path, sha256(contents));
  }

  /** Lists a file that is in its place already. */
  add(path: string, sum: string): void {
    this.#list(path, sum);
  }

  /** Keeps what an earlier report wrote to a folder or a file, as it was listed then. */
  async keep(path: string): Promise<void> {
    const unit = unitOf(path);
    const within = unit === path ? "" : relativeTo(unit, path);
    const before = this.#read(unit);
    const sums = this.#part(unit).sums;
    const names =
      ifExistsSync(() => statSync(this.pathOf(path)))?.isDirectory() === true
        ? filesBelow(this.pathOf(path)).map((name) =>
            within === "" ? name : `${within}/${name}`,
          )
        : [within];
    for (const name of names) {
      if (name === sumsFile) continue;
      // A report that was killed had not listed it yet.
      const sum =
        before.get(name) ??
        (await digestFile(this.pathOf(join(unit, name)))).sha256;
      sums.set(name, sum);
    }
  }

  /** Writes the list of a folder, after all that is in it. */
  close(folder: string): void {
    const part = this.#parts.get(folder);
    if (part === undefined) return;
    this.#parts.delete(folder);
    const { sums } = part;
    const whole = part.whole || this.#all;
    const old = this.#text(folder);
    const before = this.#parsed(folder, whole && folder !== "" ? "" : old);
    const now = whole ? sums : new Map([...before, ...sums]);
    const strays =
      whole && folder !== ""
        ? this.#namesIn(folder).filter((name) => name !== sumsFile)
        : [
            ...this.#unfinished(folder),
            // Beside the report may be files of others: only what was listed goes.
            ...(whole ? before.keys() : []),
          ];
    for (const name of strays)
      if (!now.has(name)) this.#remove(join(folder, name));
    const text = formatSums(now);
    if (old !== text) {
      const file = this.pathOf(join(folder, sumsFile));
      replace(file, text);
    }
    if (folder === "") return;
    const [name = "", ...above] = folder.split("/").reverse();
    this.#part(above.reverse().join("/")).sums.set(
      `${name}/${sumsFile}`,
      sha256(text),
    );
  }

  /** Removes a file, or the whole folder of a list. */
  #remove(path: string): void {
    const gone = path.endsWith(`/${sumsFile}`) ? dirname(path) : path;
    rmSync(this.pathOf(gone), { recursive: true, force: true });
  }

  /**
   * Writes all lists that are still open, and has the first one signed where it changed.
   *
   * @param sign gives an armoured detached signature of a text; null where nothing is signed
   */
  async finish(sign: (text: string) => Promise<string | null>): Promise<void> {
    const before = this.#text("");
    for (const depth of [2, 1, 0])
      for (const folder of [...this.#parts.keys()])
        if (depthOf(folder) === depth) this.close(folder);
    const text = this.#text("");
    const signature = this.pathOf(signatureFile);
    if (
      text === undefined ||
      (text === before && ifExistsSync(() => statSync(signature)) !== undefined)
    )
      return;
    const signed = await sign(text);
    if (signed !== null) replace(signature, signed);
  }

  #text(folder: string): string | undefined {
    return ifExistsSync(() =>
      readFileSync(this.pathOf(join(folder, sumsFile)), "utf8"),
    );
  }

  /** The list of a folder as it is, empty where there is none. @throws DamagedList */
  #read(folder: string): Sums {
    return this.#parsed(folder, this.#text(folder));
  }

  #parsed(folder: string, text: string | undefined): Sums {
    const sums = parseSums(text ?? "");
    if (sums !== undefined) return sums;
    if (this.#all) return new Map();
    throw new DamagedList(this.pathOf(join(folder, sumsFile)));
  }

  #part(folder: string): Part {
    const part = this.#parts.get(folder) ?? { sums: new Map(), whole: false };
    this.#parts.set(folder, part);
    return part;
  }

  #list(path: string, sum: string): void {
    const unit = unitOf(path);
    this.#part(unit).sums.set(relativeTo(unit, path), sum);
  }

  /** Temporary files of a report that was killed. No other report writes at the same time. */
  #unfinished(folder: string): string[] {
    const names = ifExistsSync(() => readdirSync(this.pathOf(folder))) ?? [];
    return names.filter((name) => isUnfinished(name));
  }

  /** Files below a folder, except those of folders with lists of their own; of these the list's name. */
  #namesIn(folder: string): string[] {
    const path = this.pathOf(folder);
    if (depthOf(folder) === 2) return filesBelow(path);
    return (
      ifExistsSync(() => readdirSync(path, { withFileTypes: true })) ?? []
    ).map((entry) =>
      entry.isDirectory() ? `${entry.name}/${sumsFile}` : entry.name,
    );
  }
}

const depthOf = (folder: string) =>
  folder === "" ? 0 : folder.split("/").length;

/** The folder with the list that a file belongs to. */
function unitOf(path: string): string {
  return path.split("/").slice(0, -1).slice(0, 2).join("/");
}

const relativeTo = (unit: string, path: string) =>
  unit === "" ? path : path.slice(unit.length + 1);

/** Paths of all files below a folder, relative to it. */
function filesBelow(folder: string): string[] {
  const entries =
    ifExistsSync(() => readdirSync(folder, { withFileTypes: true })) ?? [];
  return entries.flatMap((entry) =>
    entry.isDirectory()
      ? filesBelow(join(folder, entry.name)).map(
          (name) => `${entry.name}/${name}`,
        )
      : [entry.name],
  );
}

const sha256 = (text: string) =>
  createHash("sha256").update(text).digest("hex");

function makePublic(file: string): void {
  const opened = openSync(file, "r");
  try {
    fchmodSync(opened, publicFile);
  } finally {
    closeSync(opened);
  }
}

/** Replaces a file's contents at once; a missing folder is made. */
function replace(file: string, contents: string): void {
  const temporary = besidePath(file);
  const open = () => openSync(temporary, "wx", publicFile);
  let opened = ifExistsSync(open);
  if (opened === undefined) {
    makePublicFolder(dirname(file));
    opened = open();
  }
  try {
    try {
      writeFileSync(opened, contents);
      fchmodSync(opened, publicFile);
    } finally {
      closeSync(opened);
    }
    crashPoint("report.page-written");
    renameSync(temporary, file);
  } catch (thrown) {
    rmSync(temporary, { force: true });
    throw thrown;
  }
}
