import { connectTo } from "../scripts.js";

const attacksOf = ({ name, tries, device, places }) =>
  places.map(([at, boundary, before, who]) => ({
    id: `${name}-${at}`,
    row: "S7",
    boundary,
    quick: true,
    before,
    tries: `${who} ${tries}`,
    piece: {
      at,
      script: ({ id, place }) => connectTo(id, place.services.targets, device),
    },
    look: ({ id, place }) => {
      const reached = place.services.reachedBy(id);
      return reached.length === 0
        ? undefined
        : `it reached ${reached.join(", ")}`;
    },
  }));

/** @type {import("../attack.js").Attack[]} */
export const attacks = [
  ...attacksOf({
    name: "s7-network",
    tries:
      "reaches services of the host: loopback, own addresses, gateway, abstract sockets",
    places: [
      ["rules", "build", "held", "a build"],
      ["dependency", "dependency", "succeeds", "a build dependency's postinst"],
      ["image", "image", "succeeds", "an image's postinst"],
      ["root-test", "test", "succeeds", "a test as root"],
      ["test", "test", "succeeds", "a test"],
    ],
  }),
  ...attacksOf({
    name: "s7-bound",
    tries:
      "does the same with sockets bound to the device (SO_BINDTODEVICE), which passes routes over",
    // That device there was only in the networks that were no part of the machine's.
    device: "eth0",
    places: [
      ["root-test", "test", "either", "a test as root"],
      ["test", "test", "either", "a test"],
    ],
  }),
];
