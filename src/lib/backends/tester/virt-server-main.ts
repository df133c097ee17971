import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";

import { messageOf } from "../../domain/error.ts";
import { keepFilesPrivate } from "../../host/umask.ts";
import { createTestbed, type TestbedOptions } from "./virt-server.ts";

// autopkgtest starts this program with a umask under which others could read its files.
keepFilesPrivate();

// A command a line on stdin, an answer a line on stdout: autopkgtest's README.virtualisation-server.
const [file] = process.argv.slice(2);
if (file === undefined)
  throw new Error("usage: ubuntu-ci-testbed OPTIONS.json");
const options = JSON.parse(await readFile(file, "utf8")) as TestbedOptions;
const testbed = createTestbed(options);
const say = (line: string) => process.stdout.write(`${line}\n`);
say("ok");
try {
  for await (const line of createInterface({ input: process.stdin })) {
    // autopkgtest does not read an answer to `quit`: it has closed our stdout.
    if (line.trim() === "quit") break;
    say(await testbed.answer(line));
  }
} catch (thrown) {
  // The protocol: after any error, the testbed prints a message on stderr and closes.
  process.stderr.write(`ubuntu-ci-testbed: ${messageOf(thrown)}\n`);
  process.exitCode = 1;
} finally {
  await testbed.close();
}
// autopkgtest may still hold our standard input open after `quit`.
process.stdin.destroy();
