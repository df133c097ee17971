import { expect, test } from "vitest";

import { namespaceRemedy, releaseFinding, settingFindings } from "./kernel.ts";

const wrong = (values: Record<string, string>, sessionsOpen: boolean) =>
  settingFindings((name) => values[name], sessionsOpen).filter(({ ok }) => !ok);

test("each setting of the kernel that forbids sessions is named with the command that allows them", () => {
  expect(
    wrong(
      {
        "kernel.unprivileged_userns_clone": "0\n",
        "user.max_user_namespaces": "0\n",
        "user.max_net_namespaces": "15000\n",
      },
      false,
    ),
  ).toEqual([
    {
      name: "kernel.unprivileged_userns_clone",
      ok: false,
      detail: "is 0",
      remedy:
        "as root: sysctl -w kernel.unprivileged_userns_clone=1 && echo kernel.unprivileged_userns_clone=1 >>/etc/sysctl.d/60-ubuntu-ci.conf",
    },
    expect.objectContaining({ name: "user.max_user_namespaces" }),
  ]);
});

test("AppArmor's restriction is no matter where sessions open all the same", () => {
  const restricted = {
    "kernel.apparmor_restrict_unprivileged_userns": "1\n",
  };
  expect(wrong(restricted, true)).toEqual([]);
  expect(wrong(restricted, false)).toHaveLength(1);
});

test("Linux 5.11 is the oldest that will do", () => {
  for (const version of ["5.11.0", "5.15.0-91-generic", "6.1.0-13-amd64"])
    expect(releaseFinding(version).ok, version).toBe(true);
  for (const version of ["4.19.0", "5.10.0-26-amd64"])
    expect(releaseFinding(version).ok, version).toBe(false);
});

test("where no setting forbids them, the process or its container does", () => {
  expect(namespaceRemedy("NoNewPrivs:\t1\nSeccomp:\t2\n", true)).toContain(
    "NoNewPrivileges=no",
  );
  expect(namespaceRemedy("NoNewPrivs:\t0\nSeccomp:\t2\n", false)).toContain(
    "--reinstall uidmap",
  );
  expect(namespaceRemedy("NoNewPrivs:\t0\nSeccomp:\t2\n", true)).toContain(
    "seccomp=unconfined",
  );
});
