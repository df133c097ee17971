// Preloaded into the program (node --import): its clock jumps back and forth while it works. With
// CRASH_CLOCK=+MILLISECONDS it only goes wrong by that much.
const steady = Number(process.env.CRASH_CLOCK);
const minute = 60_000;
const day = 24 * 60 * minute;
const jumps = [
  0,
  -minute,
  11 * minute,
  -90 * minute,
  2 * day,
  -3 * day,
  4000 * day,
  -9000 * day,
];
const RealDate = Date;
let offset = steady;

function jump() {
  offset = jumps[Math.floor(Math.random() * jumps.length)];
}

if (Number.isNaN(steady)) {
  jump();
  setInterval(jump, 40).unref();
}

globalThis.Date = class extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(RealDate.now() + offset);
    else super(...given);
  }
  static now() {
    return RealDate.now() + offset;
  }
};
