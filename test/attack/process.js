import { spawn } from "node:child_process";

/**
 * How a command ended.
 *
 * @typedef {object} Ended
 * @property {number | null} code
 * @property {string | null} signal
 * @property {boolean} timedOut
 * @property {string} stdout
 * @property {string} stderr
 * @property {number} seconds
 */

/**
 * Runs a command in a process group of its own, and ends all of the group at the time limit.
 *
 * @returns {Promise<Ended>}
 */
export function run(argv, options = {}) {
  const { env, cwd = "/", timeoutMs = 240_000, input = "" } = options;
  const started = performance.now();
  return new Promise((done) => {
    const child = spawn(argv[0], argv.slice(1), {
      cwd,
      env: env ?? process.env,
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
    });
    const said = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"])
      child[name].setEncoding("utf8").on("data", (text) => {
        said[name] = (said[name] + text).slice(-20_000_000);
      });
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    options.onStart?.(child);
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup(child.pid);
    }, timeoutMs);
    let told = false;
    const tell = (code, signal) => {
      if (told) return;
      told = true;
      clearTimeout(timer);
      const seconds = (performance.now() - started) / 1000;
      done({ code, signal, timedOut, ...said, seconds });
    };
    child.on("error", (error) => {
      said.stderr += error.message;
      tell(127, null);
    });
    child.on("close", tell);
    // What was left running inside may hold our pipes: that is no reason to wait.
    child.on("exit", (code, signal) =>
      setTimeout(() => tell(code, signal), 2000).unref(),
    );
  });
}

/** Runs a command that has to succeed, and returns what it printed. */
export async function runOk(argv, options) {
  const { code, stdout, stderr } = await run(argv, options);
  if (code !== 0)
    throw new Error(
      `${argv.join(" ")} exited with ${code}: ${stderr}${stdout}`,
    );
  return stdout;
}

export function killGroup(pid) {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // gone already
  }
}

/** Waits until that is true, at most so long; whether it came true. */
export async function until(condition, timeoutMs) {
  const end = performance.now() + timeoutMs;
  while (performance.now() < end) {
    if (await condition()) return true;
    await new Promise((done) => setTimeout(done, 500));
  }
  return false;
}
