// CPU time that a call may take, by what this machine takes for a plain loop over as many bytes.

/** As many times as the loop a reader may take per byte: enough for the slowest, no quadratic one at 64 KiB. */
const factor = 3000;
/** For garbage collections and such. */
const spareMs = 50;

function loopMs(bytes) {
  const before = process.cpuUsage();
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 1) sum = (sum + bytes[at]) | 0;
  const { user, system } = process.cpuUsage(before);
  if (sum === -1) throw new Error("never");
  return (user + system) / 1000;
}

const calibration = Buffer.alloc(8 * 1024 * 1024, 1);
const perByte =
  Math.min(...Array.from({ length: 5 }, () => loopMs(calibration))) /
  calibration.length;

export const limitMs = (bytes) => spareMs + bytes * perByte * factor;

/**
 * Whether `call`, which took so long by the clock, takes more CPU time than it may: a busy machine
 * makes anything slow, so it is called again and the least of its CPU time counts.
 */
export async function isTooSlow(tookMs, bytes, call) {
  const limit = limitMs(bytes);
  if (tookMs <= limit) return undefined;
  let least = Infinity;
  for (let again = 0; again < 3 && least > limit; again += 1) {
    const before = process.cpuUsage();
    await call();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
  }
  return least > limit
    ? `takes ${Math.round(least)} ms for ${bytes} bytes, may take ${Math.round(limit)}`
    : undefined;
}
