import { describe, expect, test } from "vitest";

import { serialiseDeb822 } from "../debian/deb822.ts";
import { configOf } from "../config/config.ts";
import { carriedSettings, machineStanzas, mirrorOf } from "./mirror.ts";

const of = (name: string, text: string, series = "bookworm") =>
  serialiseDeb822(machineStanzas([{ name, text }], series));

describe("the machine's own apt sources (sources.list(5))", () => {
  test("a deb822 file: the series' own suites, binary packages, the key kept", () => {
    expect(
      of(
        "debian.sources",
        `# the mirror
Types: deb deb-src
URIs: http://mirror.example.org/debian http://other.example.org/debian
Suites: bookworm bookworm-updates bookworm-backports trixie
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://security.example.org
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 xyz
 -----END PGP PUBLIC KEY BLOCK-----
`,
      ),
    ).toBe(`Types: deb
URIs: http://mirror.example.org/debian http://other.example.org/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://security.example.org
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 xyz
 -----END PGP PUBLIC KEY BLOCK-----
`);
  });

  test("what is switched off, for sources only, or of another series is left out", () => {
    const stanza = (suites: string, more: string) =>
      `Types: deb\nURIs: http://a.example.org\nSuites: ${suites}\nComponents: main\n${more}`;
    expect(of("a.sources", stanza("bookworm", "Enabled: no\n"))).toBe("");
    expect(of("a.sources", stanza("trixie", ""))).toBe("");
    expect(of("a.sources", stanza("bookworm-backports", ""))).toBe("");
    expect(
      of("a.sources", stanza("bookworm", "").replace("deb", "deb-src")),
    ).toBe("");
    expect(of("a.sources", stanza("bookworm", "Enabled: yes\n"))).not.toBe("");
  });

  test("one-line entries, with options and comments", () => {
    expect(
      of(
        "sources.list",
        `# deb http://off.example.org bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/a.gpg] http://a.example.org/debian bookworm main contrib # ours
deb-src http://a.example.org/debian bookworm main
deb\thttp://old.example.org bookworm/updates main
deb http://b.example.org stable main
`,
      ),
    ).toBe(`Types: deb
URIs: http://a.example.org/debian
Suites: bookworm
Components: main contrib
Signed-By: /usr/share/keyrings/a.gpg

Types: deb
URIs: http://old.example.org
Suites: bookworm/updates
Components: main
`);
  });
});

describe("apt's settings that are carried into sessions", () => {
  test("those without which the mirror isn't reached, and no others", () => {
    const kept = `Acquire::http::Proxy "http://proxy.example.org:3142/";
Acquire::http::Proxy::mirror.example.org "DIRECT";
Acquire::https::Verify-Peer "false";
Acquire::https::CaInfo "/etc/ssl/mirror.pem";
Acquire::Check-Valid-Until "false";
Acquire::Check-Date "false";
`;
    expect(
      carriedSettings(`APT::Architecture "amd64";
DPkg::Pre-Invoke:: "rm -rf /";
Acquire::http::Proxy "";
Acquire::http::Proxy-Auto-Detect "/usr/bin/finds-a-proxy";
Acquire::http::Timeout "30";
${kept}Dir "/";
`),
    ).toBe(kept);
  });
});

describe("the mirror of the configuration", () => {
  test("wins over the machine's own", async () => {
    const config = configOf(
      {
        mirror: "http://mirror.example.org/ubuntu",
        components: ["main", "universe"],
      },
      null,
    );
    expect(await mirrorOf("noble", config)).toMatchObject({
      sources:
        "Types: deb\nURIs: http://mirror.example.org/ubuntu\nSuites: noble\nComponents: main universe\n",
      keyringPackages: [],
    });
  });

  test("a series that nothing has is refused, saying what to set", async () => {
    await expect(
      mirrorOf("no-such-series", configOf({}, null)),
    ).rejects.toThrow(
      expect.objectContaining({
        exitCode: 78,
        message: expect.stringContaining(
          "no mirror of no-such-series",
        ) as string,
      }),
    );
  });
});
