// How quickly the pages of a log are made, and in how much memory.
//   npm run bench:logs -- [--mebibytes N] [--log FILE]
// The log is one of a build with some colours, of 200 MiB unless told otherwise. Counted is CPU time, of
// reading it twice, drawing it, and writing the pages; what else the machine does meanwhile
// does not matter. Exits 1 below 20 MB a second, or above the limit of memory.
import { createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { finished } from "node:stream/promises";
import { parseArgs } from "node:util";

const limits = { megabytesPerSecond: 20, memoryMiB: 250 };

const { values } = parseArgs({
  options: {
    mebibytes: { type: "string", default: "200" },
    log: { type: "string" },
  },
});
const { writeLogPages } = await import(
  join(resolve(import.meta.dirname, "../../dist"), "lib/report/log-pages.js")
);

/** What a build prints, again and again, of 60 characters a line. */
const lines = [
  "   dh_auto_build",
  "make[1]: Entering directory '/build/reproducible-path/hello-2.10'",
  "gcc -DHAVE_CONFIG_H -I. -I./lib -Wdate-time -D_FORTIFY_SOURCE=2 -g -O2 -c -o src/hello.o src/hello.c",
  "\x1b[01m\x1b[Ksrc/hello.c:12:5:\x1b[m\x1b[K \x1b[01;35m\x1b[Kwarning: \x1b[m\x1b[Kunused variable",
  ...Array.from({ length: 60 }, (_, index) =>
    index % 8 === 0
      ? `sed -n -e '/^.ifndef/,$p' < ./build-aux/snippet/warn-on-${index}.h > lib/warn-on-${index}.h-t && \\`
      : `checking for stdio_${index}.h... (cached) yes, and for '"${index}"'`,
  ),
  "Größe: 12 kB",
];

async function writeLog(path, bytes) {
  const part = Buffer.from(`${lines.join("\n")}\n`.repeat(200));
  const file = createWriteStream(path);
  for (let written = 0; written < bytes; written += part.length)
    if (!file.write(part))
      await new Promise((resume) => file.once("drain", resume));
  file.end();
  await finished(file);
}

const root = mkdtempSync(join(tmpdir(), "uci-logs-"));
try {
  const log = values.log ?? join(root, "big.log");
  if (values.log === undefined)
    await writeLog(log, Number(values.mebibytes) * 1024 ** 2);
  const reason = "compile: src/hello.c:12:5: error: there is none of it";
  const started = performance.now();
  const before = process.cpuUsage();
  const { bytes, pages } = await writeLogPages({
    log,
    identity: "",
    name: "big.log",
    folder: join(root, "pages"),
    rawUrl: "../big.log",
    of: { title: "Ticket 1", url: "../index.html" },
    wanted: { reasons: [reason], tests: [] },
    frame: (title, body) => `<title>${title}</title>${body}`,
  });
  const { user, system } = process.cpuUsage(before);
  const seconds = (performance.now() - started) / 1000;
  const speed = bytes / (user + system);
  const memory = process.resourceUsage().maxRSS / 1024;
  console.log(
    `${(bytes / 1e6).toFixed(0)} MB, ${pages.length} pages: ${speed.toFixed(1)} MB per second of CPU (at least ${limits.megabytesPerSecond}), ${(bytes / 1e6 / seconds).toFixed(1)} by the clock`,
  );
  console.log(
    `${memory.toFixed(0)} MiB of memory (at most ${limits.memoryMiB})`,
  );
  if (speed < limits.megabytesPerSecond || memory > limits.memoryMiB)
    process.exitCode = 1;
} finally {
  rmSync(root, { recursive: true, force: true });
}
