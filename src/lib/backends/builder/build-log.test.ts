import { expect, test } from "vitest";

import { buildFault, explainingLine } from "./build-log.ts";

/** The end of each log of dpkg-buildpackage. */
const ends = `make[1]: Leaving directory '/build/reproducible-path/x-1'
make: *** [debian/rules:4: build] Error 2
dpkg-buildpackage: error: debian/rules build subprocess returned exit status 2
`;

test.each([
  {
    of: "a compiler",
    log: "cc -c main.c\nmain.c: In function 'main':\nmain.c:3:1: error: expected ';'\nmain.c:9:1: error: a second one\ncc1: all warnings being treated as errors\nmake[1]: *** [Makefile:2: main.o] Error 1\nmake[1]: *** Waiting for unfinished jobs....\ncc -c other.c\n",
    is: "main.c:3:1: error: expected ';'",
  },
  {
    of: "a compiler, after errors of a configure script that went on",
    log: `conftest.c:1: error: no such thing\n${"checking for more... yes\n".repeat(60)}x.c:1:2: fatal error: x.h: No such file or directory\ncompilation terminated.\nmake[1]: *** [Makefile:2: x.o] Error 1\n`,
    is: "x.c:1:2: fatal error: x.h: No such file or directory",
  },
  {
    of: "a linker",
    log: "/usr/bin/ld: x.o: in function `main':\nx.c:(.text+0x9): undefined reference to `nothing'\ncollect2: error: ld returned 1 exit status\nmake[1]: *** [Makefile:2: x] Error 1\n",
    is: "x.c:(.text+0x9): undefined reference to `nothing'",
  },
  {
    of: "a shell that does not find a command",
    log: "cowsay hi | cat\n/bin/sh: 1: cowsay: not found\nmake[1]: *** [debian/rules:3: build] Error 127\n",
    is: "/bin/sh: 1: cowsay: not found",
  },
  {
    of: "make that does not find a command",
    log: "cowsay hi\nmake: cowsay: No such file or directory\nmake: *** [debian/rules:3: build] Error 127\n",
    is: "make: cowsay: No such file or directory",
  },
  {
    of: "make",
    log: "make[1]: *** No rule to make target 'x.c', needed by 'x'.  Stop.\n",
    is: "make[1]: *** No rule to make target 'x.c', needed by 'x'.  Stop.",
  },
  {
    of: "a command that says nothing",
    log: "test 1 = 2\nmake[1]: *** [debian/rules:3: build] Error 1\n",
    is: "test 1 = 2",
  },
  {
    of: "automake's tests",
    log: "PASS: one.sh\nFAIL: two.sh\nFAIL: three.sh\n============\n# TOTAL: 3\n# FAIL:  2\n# ERROR: 0\n============\nSee ./test-suite.log\n============\nmake[2]: *** [Makefile:9: test-suite.log] Error 1\n",
    is: "FAIL: two.sh",
  },
  {
    of: "Python's tests",
    log: '======\nFAIL: test_sum (tests.Sums)\n------\nTraceback (most recent call last):\n  File "tests.py", line 4, in test_sum\nAssertionError: 1 != 2\n------\nRan 3 tests in 0.1s\n\nFAILED (failures=1)\nE: pybuild pybuild:388: test: plugin distutils failed with: exit code=1\ndh_auto_test: error: pybuild --test -i python{version} -p 3.11 returned exit code 13\n',
    is: "FAIL: test_sum (tests.Sums)",
  },
  {
    of: "a Python module that is not there",
    log: "Traceback (most recent call last):\n  File \"setup.py\", line 1, in <module>\nModuleNotFoundError: No module named 'foo'\nE: pybuild pybuild:388: clean: plugin distutils failed with: exit code=1: python3.11 setup.py clean \ndh_auto_clean: error: pybuild --clean returned exit code 13\n",
    is: "ModuleNotFoundError: No module named 'foo'",
  },
  {
    of: "configure, whose log debhelper shows",
    log: "checking for gcc... gcc\nconfigure: error: libfoo is needed\n\ttail -v -n +0 config.log\n==> config.log <==\nconftest.c:1:10: fatal error: bar.h: No such file or directory\nconfigure: exit 1\ndh_auto_configure: error: ./configure --prefix=/usr returned exit code 1\n",
    is: "configure: error: libfoo is needed",
  },
  {
    of: "cmake, with what its header is about",
    log: "CMake Error at CMakeLists.txt:5 (message):\n  libfoo is needed\n\n-- Configuring incomplete, errors occurred!\ndh_auto_configure: error: cd obj && cmake .. returned exit code 1\n",
    is: "CMake Error at CMakeLists.txt:5 (message): libfoo is needed",
  },
  {
    of: "dh_missing",
    log: "dh_missing: warning: usr/bin/x exists in debian/tmp but is not installed to anywhere \ndh_missing: warning: usr/bin/y exists in debian/tmp but is not installed to anywhere \ndh_missing: error: missing files, aborting\n\tThe following debhelper tools have reported what they installed (with files per package)\n",
    is: "dh_missing: warning: usr/bin/x exists in debian/tmp but is not installed to anywhere",
  },
  {
    of: "dpkg-checkbuilddeps",
    log: "dpkg-checkbuilddeps: error: Unmet build dependencies: foo\n",
    is: "dpkg-checkbuilddeps: error: Unmet build dependencies: foo",
  },
])("the first cause: of $of", ({ log, is }) => {
  expect(explainingLine(log + ends)).toBe(is);
});

test("a signal that ended a command is the cause, as make tells it", () => {
  const line =
    "make: *** [debian/rules:6: build] CPU time limit exceeded (core dumped)";
  expect(explainingLine(`perl -e '1 while 1'\n${line}\n${ends}`)).toBe(line);
  expect(buildFault("it", `${line}\n${ends}`, undefined)).toMatchObject({
    outcome: "failed",
    message: `it: ${line} (the setting limits.cpuMinutes)`,
  });
});

test("without a line that says more it is the last", () => {
  expect(explainingLine("one\ntwo\n\n")).toBe("two");
  expect(explainingLine("")).toBe("the build said nothing");
});

test("what happened decides, and what is printed only where it is what failed", () => {
  const killed = `gcc: fatal error: Killed signal terminated program cc1\ncompilation terminated.\nmake: *** [Makefile:2: x.o] Error 1\n${ends}`;
  expect(
    buildFault("it", killed, "the machine ran out of memory"),
  ).toMatchObject({
    outcome: "tmpfail",
    message:
      "the machine ran out of memory: gcc: fatal error: Killed signal terminated program cc1",
  });
  expect(buildFault("it", killed, undefined).outcome).toBe("failed");
  const printed = `test of: No space left on device\n${"ok\n".repeat(3)}x.c:1:1: error: no\nmake: *** [Makefile:2: x.o] Error 1\n`;
  expect(buildFault("it", printed, undefined)).toMatchObject({
    outcome: "failed",
    message: "it: x.c:1:1: error: no",
  });
});

test("a session's own limit is the package's, and named", () => {
  const log = `/bin/sh: 0: Cannot fork\nmake: *** [debian/rules:5: build] Error 2\n${ends}`;
  expect(buildFault("it", log, undefined)).toMatchObject({
    outcome: "failed",
    message: "it: /bin/sh: 0: Cannot fork (the setting limits.processes)",
  });
});
