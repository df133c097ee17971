import { ProgramCall } from "./program.ts";
import { closeInheritedDescriptors } from "../lib/host/descriptors.ts";
import type { EndInPlace } from "../lib/host/exec.ts";
import { ignoreClosedOutput } from "../lib/host/output.ts";
import { keepFilesPrivate } from "../lib/host/umask.ts";

keepFilesPrivate();
// Before any child process could inherit them.
closeInheritedDescriptors();
ignoreClosedOutput();

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    stop.abort();
  });
}

/** Ends this process in the same way as the child that ran in its place. */
function endAs(ended: EndInPlace): void {
  if ("exitCode" in ended) process.exit(ended.exitCode);
  // The parent must see that signal; our own handlers would hide it.
  process.removeAllListeners(ended.signal);
  process.kill(process.pid, ended.signal);
}

const call = new ProgramCall(stop.signal, endAs);

// Node would print the error with its stack.
process.on("uncaughtException", (thrown) => {
  void call.report(thrown).finally(() => {
    call.printWarnings();
    process.exit();
  });
});

void call.run(process.argv);
