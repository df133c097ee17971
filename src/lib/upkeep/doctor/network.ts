import { accessSync, constants } from "node:fs";

import type { Diagnosis } from "./diagnosis.ts";
import { bad, ok } from "./diagnosis.ts";

/** Whether the network of sessions can be made: pasta needs this device, as every user may have it. */
export function networkFinding(device = "/dev/net/tun"): Diagnosis {
  try {
    accessSync(device, constants.R_OK | constants.W_OK);
    return ok("network", `${device} may be used`);
  } catch {
    return bad(
      "network",
      `${device} may not be used: sessions have no network`,
      `as root: modprobe tun; chmod 0666 ${device}`,
    );
  }
}
