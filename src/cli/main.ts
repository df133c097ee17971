import { ProgramCall } from "./program.ts";
import { closeInheritedDescriptors } from "../lib/host/descriptors.ts";
import type { EndInPlace } from "../lib/host/exec.ts";
import { showCursor, watchOutput } from "../lib/host/output.ts";
import { keepFilesPrivate } from "../lib/host/umask.ts";

keepFilesPrivate();
// Before any child process could inherit them.
closeInheritedDescriptors();

const stop = new AbortController();

/** Ends this process in the same way as the child that ran in its place. */
function endAs(ended: EndInPlace): void {
  if ("exitCode" in ended) process.exit(ended.exitCode);
  // The parent must see that signal; our own handlers would hide it.
  process.removeAllListeners(ended.signal);
  process.kill(process.pid, ended.signal);
}

const call = new ProgramCall(stop.signal, endAs);

watchOutput((error) => {
  void call.report(error);
  // Whatever else happens, the caller does not have the result.
  process.on("exit", () => (process.exitCode = error.exitCode));
  // What only prints, such as `log --follow`, need not go on.
  if (!call.changes) stop.abort();
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    // The process that runs in this one's place has the signal, too, and this one ends with it.
    if (call.isElsewhere) return;
    if (stop.signal.aborted) {
      showCursor();
      endAs({ signal });
      return;
    }
    call.tellInterruption();
    stop.abort();
  });
}

// Node would print the error with its stack.
process.on("uncaughtException", (thrown) => {
  void call.report(thrown).finally(() => {
    call.printWarnings();
    process.exit();
  });
});

void call.run(process.argv).then(() => {
  // Work that was given up may still be under way.
  if (stop.signal.aborted) process.exit();
});
