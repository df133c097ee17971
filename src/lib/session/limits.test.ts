import { expect, test } from "vitest";

import { limitWords } from "./limits.ts";

test("limits are those of a service, as far as this process may set them", () => {
  const limits = `Limit                     Soft Limit           Hard Limit           Units
Max stack size            unlimited            unlimited            bytes
Max core file size        unlimited            unlimited            bytes
Max open files            20000                300                  files
`;
  expect(limitWords(limits)).toEqual([
    ...["limit", "3:8388608:-1"],
    ...["limit", "4:0:-1"],
    ...["limit", "7:300:300"],
  ]);
});

test("CPU time and open files are as configured, where this process may have them", () => {
  const limits = `Max cpu time              unlimited            unlimited            seconds
Max open files            20000                524288               files
`;
  expect(limitWords(limits, { cpuMinutes: 2, openFiles: 512 })).toEqual([
    ...["limit", "0:120:125"],
    ...["limit", "7:512:512"],
  ]);
});
