// Preloaded into a program (NODE_OPTIONS=--import): its clock is that many milliseconds ahead.
const ahead = Number(process.env["UBUNTU_CI_TEST_AHEAD_MS"] ?? 0);
const Original = Date;
globalThis.Date = class extends Original {
  constructor(...given) {
    if (given.length === 0) super(Original.now() + ahead);
    else super(...given);
  }
  static now() {
    return Original.now() + ahead;
  }
};
