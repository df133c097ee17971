// The rooms of the house and who may do what in it: what only this project knows. What is wrong in any
// program is oxlint's (.oxlintrc.json), which knows the types and takes a tenth of the time.
import tseslint from "typescript-eslint";

// One module starts processes, one speaks HTTP, one folder has SQL (see CONTRIBUTING.md).
const reserved = [
  { name: "execa", message: "Only src/lib/host/exec.ts starts processes." },
  { name: "undici", message: "Only src/lib/host/http.ts speaks HTTP." },
  { name: "better-sqlite3", message: "Only src/lib/state/ has SQL." },
  {
    name: "node:child_process",
    message: "Only src/lib/host/exec.ts starts processes.",
  },
];
const except = (...names) => [
  "error",
  { paths: reserved.filter((r) => !names.includes(r.name)) },
];

// The rooms of src/lib from the ground up, and the program around them: a room imports what is below
// it. State stands above steps: those and what they drive are given what they need.
const house = [
  "domain",
  "debian",
  "results",
  "files",
  "host",
  "locks",
  "config",
  "clients",
  "session",
  "backends",
  "steps",
  "state",
  "engine",
  "tickets",
  "upkeep",
  "report",
  "shepherd",
  "cli",
  "commands",
];
/** Rooms that see even less: a page is made of data. */
const alsoClosed = { report: ["backends", "steps", "engine", "tickets"] };
function closed(who, rooms) {
  return {
    "@typescript-eslint/no-restricted-imports": [
      "error",
      {
        patterns: rooms.map((name) => ({
          group: [`**/${name}/**`],
          message: `${who} stands below ${name} (see "house" in eslint.config.js).`,
        })),
      },
    ],
  };
}
const floors = house.map((room, floor) => ({
  files: [`src/lib/${room}/**`, `src/${room}/**`],
  // The first is the front door: it opens the command that was asked for.
  ignores: ["src/cli/program.ts", "**/*.test.ts"],
  rules: closed(room, [...house.slice(floor + 1), ...(alsoClosed[room] ?? [])]),
}));
/**
 * Each room declares its settings, as data that uses nothing but domain. The configuration is checked
 * by all of them, so its list of them looks up: at those files, and at nothing else.
 */
const declarations = [
  {
    files: ["src/lib/*/settings.ts", "src/cli/settings.ts"],
    rules: closed("a declaration of settings", house.slice(1)),
  },
  {
    files: ["src/lib/config/settings.ts"],
    rules: {
      "@typescript-eslint/no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              regex: String.raw`^(?!.*/settings\.ts$|\.\./domain/)`,
              message: "The list of settings looks at settings alone.",
            },
          ],
        },
      ],
    },
  },
];

const stdStreams = {
  selector:
    "MemberExpression[object.name='process'][property.name=/^std(out|err)$/]",
  message: "Only src/lib/host/output.ts writes: it cleans what it shows.",
};
const stepNumbers = {
  selector:
    "BinaryExpression[operator=/^[<>!=]/]:has(> Literal[raw=/^(?:[1-5]00|999|1000)$/]):has(> :matches(Identifier[name=/step|code|resume/i], MemberExpression[property.name=/step|code|resume/i]))",
  message: "Ask the table in src/lib/domain/step.ts what the step is.",
};

export default tseslint.config(
  { ignores: ["dist/", "coverage/", "node_modules/"] },
  tseslint.configs.base,
  {
    files: ["**/*.ts", "**/*.js"],
    // Its comments are oxlint's.
    linterOptions: { reportUnusedDisableDirectives: "off" },
    rules: {
      "no-restricted-imports": except(),
      "no-restricted-properties": [
        "error",
        {
          object: "process",
          property: "exit",
          message: "Throw a UbuntuCiError; src/cli/main.ts exits.",
        },
      ],
    },
  },
  {
    files: ["src/**"],
    rules: {
      "no-console": "error",
      "no-restricted-syntax": ["error", stdStreams],
    },
  },
  {
    // What a rule has to know of a step is a field of the table there.
    files: ["src/**"],
    ignores: ["**/*.test.ts", "src/lib/domain/step.ts"],
    rules: {
      "no-restricted-syntax": ["error", stdStreams, stepNumbers],
    },
  },
  {
    // The second speaks a protocol with autopkgtest, and shows nothing to anybody.
    files: [
      "src/lib/host/output.ts",
      "src/lib/backends/tester/virt-server*.ts",
    ],
    rules: { "no-restricted-syntax": "off" },
  },
  {
    files: ["src/lib/host/exec.ts"],
    rules: { "no-restricted-imports": except("execa", "node:child_process") },
  },
  {
    files: ["src/lib/host/http.ts"],
    rules: { "no-restricted-imports": except("undici") },
  },
  {
    files: ["src/lib/state/**"],
    rules: { "no-restricted-imports": except("better-sqlite3") },
  },
  {
    // A transaction on an empty file is its lock; it has no SQL but BEGIN.
    files: ["src/lib/locks/exclusively.ts"],
    rules: { "no-restricted-imports": except("better-sqlite3") },
  },
  { files: ["src/cli/main.ts"], rules: { "no-restricted-properties": "off" } },
  {
    files: ["test/**", "maintenance/**", "**/*.test.ts"],
    rules: { "no-restricted-imports": "off" },
  },
  ...floors,
  ...declarations,
  {
    files: ["test/**/*.js", "maintenance/*.js"],
    rules: { "no-restricted-properties": "off" },
  },
);
