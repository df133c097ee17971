/**
 * What an attack has at hand.
 *
 * @typedef {object} Here
 * @property {string} id
 * @property {string} name what its packages are called
 * @property {import("./place.js").Place} place
 * @property {{folder: string, secret: string, before: object}} canary
 *
 * What a ticket left.
 *
 * @typedef {{status: object, logs: string, results: string, everything: string}} Told
 *
 * One attack: as data, where a package carries it out.
 *
 * @typedef {object} Attack
 * @property {string} id
 * @property {string} row of the catalogue of attacks; "own" where it has none
 * @property {string} boundary
 * @property {string} tries what it tries, for people
 * @property {"succeeds" | "held"} before what became of it in the program before session root was nobody
 * @property {boolean} [quick] belongs to the quick form
 * @property {boolean} [exclusive] nothing else may be done at the same time
 * @property {string} [needs] a tool without which it can't be carried out
 *
 * Either it is a piece of the package that many attacks share:
 * @property {Piece} [piece]
 * or a ticket of its own:
 * @property {(here: Here) => import("./package.js").Package[]} [ticket]
 * @property {Landing} [land]
 * or something that is done from outside:
 * @property {(here: Here) => Promise<{ran: true | string, breach?: string}>} [carryOut]
 *
 * Its canary is always looked at, and its secret searched for in all that the ticket left; beyond that:
 * @property {(here: Here, told: Told, ended: import("./process.js").Ended) => string | undefined | Promise<string | undefined>} [look]
 * how it got through, or undefined
 * @property {(told: Told, ended: import("./process.js").Ended) => boolean} [isCarriedOut]
 * whether it ran, where that is not to be read in a log
 *
 * @typedef {object} Piece
 * @property {"rules" | "dependency" | "image" | "root-test" | "test"} at where its shell runs
 * @property {(here: Here) => string} script
 * @property {(here: Here) => Record<string, string>} [env] environment of the operator's `land`
 * @property {(here: Here, signal: AbortSignal) => Promise<string | undefined>} [during] done from
 * outside while the package is built, installed and tested; how it got through, or undefined
 *
 * @typedef {object} Landing
 * @property {string} [until]
 * @property {number} [timeoutMs]
 * @property {string[]} [args]
 * @property {(here: Here) => Record<string, string>} [env]
 */

import { isProved } from "./package.js";
import { touched } from "./place.js";

/**
 * What became of an attack.
 *
 * @typedef {{result: "held" | "got through" | "not carried out", why: string}} Verdict
 */

/** How an attack whose code ran in a package has ended. */
export async function judge(attack, here, told, ended) {
  const seen = `${told.everything}\n${ended.stdout}\n${ended.stderr}`;
  const breach =
    touched(here.canary) ??
    (seen.includes(here.canary.secret)
      ? "a secret of the owner's can be read in what the ticket left"
      : undefined) ??
    (await attack.look?.(here, told, ended));
  if (breach !== undefined) return { result: "got through", why: breach };
  const ran =
    isProved(here.id, told.logs) || attack.isCarriedOut?.(told, ended) === true;
  if (ran) return { result: "held", why: "" };
  const { status, failure } = told.status;
  return {
    result: "not carried out",
    why: `no trace of its code: ${failure?.reason ?? status} ${ended.timedOut ? "(killed)" : ""} ${ended.stderr.trim().split("\n").at(-1)}`,
  };
}

/** How an attack from outside has ended. */
export function judgeOutside({ ran, breach }, here) {
  const through = touched(here.canary) ?? breach;
  if (through !== undefined) return { result: "got through", why: through };
  if (ran === true) return { result: "held", why: "" };
  return { result: "not carried out", why: ran };
}
