import { findTool, startShared } from "./shared.js";
import { judge, judgeOutside } from "./attack.js";
import { Place } from "./place.js";

/**
 * Carries out attacks on one installation, and tells of each as it ends.
 *
 * @param {import("./attack.js").Attack[]} attacks
 */
export async function carryOutAll(attacks, options) {
  const { program, baseFrom, jobs, keep, tell } = options;
  const place = new Place(program);
  const ended = [];
  const end = (attack, verdict, started) => {
    const seconds = (performance.now() - started) / 1000;
    const one = { attack, ...verdict, seconds };
    ended.push(one);
    tell(one);
  };
  const stop = async () => {
    await place.close();
    if (keep) console.error(`attack: the installation is in ${place.root}`);
    else await place.remove();
  };
  try {
    await place.init(baseFrom);
    const usable = attacks.filter((attack) => {
      if (attack.needs === undefined || findTool(attack.needs)) return true;
      const why = `${attack.needs} is not installed`;
      end(attack, { result: "skipped", why }, performance.now());
      return false;
    });
    const shared = usable.filter(({ piece }) => piece !== undefined);
    const single = usable.filter(({ piece }) => piece === undefined);
    const beside = single.filter(({ exclusive }) => exclusive !== true);
    const tasks = [
      ...(shared.length === 0 ? [] : [() => together(place, shared, end)]),
      ...beside.map((attack) => () => alone(place, attack, end)),
    ];
    await Promise.all(
      Array.from({ length: jobs }, async () => {
        for (let task = tasks.shift(); task; task = tasks.shift()) await task();
      }),
    );
    for (const attack of single.filter(({ exclusive }) => exclusive === true))
      await alone(place, attack, end);
    return ended;
  } finally {
    await stop();
  }
}

function hereFor(place, { id }) {
  return { id, name: `at-${id}`, place, canary: place.canary(id) };
}

/** An attack with a ticket of its own, or from outside. */
async function alone(place, attack, end) {
  const started = performance.now();
  const here = hereFor(place, attack);
  try {
    if (attack.carryOut !== undefined) {
      const found = await attack.carryOut(here);
      end(attack, judgeOutside(found, here), started);
      return;
    }
    const {
      until = "run-tests",
      timeoutMs,
      env,
      settings,
      wrapped,
    } = attack.land ?? {};
    const ticket = await place.ticket(attack.ticket(here));
    const argv = place.argvWith(settings, [
      ...["land", "--ticket", ticket, "--until", until],
    ]);
    const ended = await place.land(argv, {
      timeoutMs,
      env: env?.(here),
      wrapped,
    });
    end(
      attack,
      await judge(attack, here, await place.told(ticket), ended),
      started,
    );
    await place.putAway(ticket);
  } catch (thrown) {
    end(attack, { result: "not carried out", why: String(thrown) }, started);
  }
}

/** All attacks that are pieces of the one package that they share. */
async function together(place, attacks, end) {
  const started = performance.now();
  const pieces = attacks.map((attack) => ({
    attack,
    here: hereFor(place, attack),
  }));
  let told;
  let ended;
  const found = new Map();
  try {
    ({ told, ended } = await startShared(place, pieces, found));
  } catch (thrown) {
    for (const { attack } of pieces)
      end(attack, { result: "not carried out", why: String(thrown) }, started);
    return;
  }
  for (const { attack, here } of pieces) {
    try {
      const verdict = await judge(attack, here, told, ended);
      const through = found.get(attack.id);
      end(
        attack,
        through === undefined || verdict.result === "got through"
          ? verdict
          : { result: "got through", why: through },
        started,
      );
    } catch (thrown) {
      end(attack, { result: "not carried out", why: String(thrown) }, started);
    }
  }
}
