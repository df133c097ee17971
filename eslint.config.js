import js from "@eslint/js";
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

// Arrows point one way: commands -> engine -> steps -> backends -> host; domain imports nothing.
const room = (files, forbidden) => ({
  files,
  ignores: ["**/*.test.ts"],
  rules: {
    "@typescript-eslint/no-restricted-imports": [
      "error",
      { patterns: forbidden },
    ],
  },
});

export default tseslint.config(
  { ignores: ["dist/", "coverage/", "node_modules/"] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { project: "./tsconfig.check.json" } },
    rules: {
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true },
      ],
      "@typescript-eslint/no-confusing-void-expression": [
        "error",
        { ignoreArrowShorthand: true },
      ],
      "no-restricted-imports": except(),
      "no-restricted-properties": [
        "error",
        {
          object: "process",
          property: "exit",
          message: "Throw a UbuntuCiError; src/cli.ts exits.",
        },
      ],
    },
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
  { files: ["src/cli.ts"], rules: { "no-restricted-properties": "off" } },
  {
    files: ["test/**", "**/*.test.ts"],
    rules: { "no-restricted-imports": "off" },
  },
  room(
    ["src/lib/domain/**"],
    [
      "**/host/**",
      "**/state/**",
      "**/backends/**",
      "**/steps/**",
      "**/engine/**",
      "**/report/**",
      "**/tickets/**",
      "**/commands/**",
    ],
  ),
  room(
    ["src/lib/host/**"],
    [
      "**/state/**",
      "**/backends/**",
      "**/steps/**",
      "**/engine/**",
      "**/report/**",
      "**/tickets/**",
      "**/commands/**",
    ],
  ),
  room(
    ["src/lib/backends/**"],
    [
      "**/state/**",
      "**/steps/**",
      "**/engine/**",
      "**/report/**",
      "**/tickets/**",
      "**/commands/**",
    ],
  ),
  room(
    ["src/lib/steps/**"],
    [
      "**/state/**",
      "**/engine/**",
      "**/report/**",
      "**/tickets/**",
      "**/commands/**",
    ],
  ),
  room(
    ["src/lib/state/**"],
    [
      "**/backends/**",
      "**/steps/**",
      "**/engine/**",
      "**/report/**",
      "**/tickets/**",
      "**/commands/**",
    ],
  ),
  room(["src/lib/engine/**"], ["**/report/**", "**/commands/**"]),
  room(
    ["src/lib/report/**"],
    [
      "**/backends/**",
      "**/steps/**",
      "**/engine/**",
      "**/tickets/**",
      "**/commands/**",
    ],
  ),
  { files: ["**/*.js"], ...tseslint.configs.disableTypeChecked },
  {
    files: ["test/**/*.js"],
    languageOptions: {
      globals: {
        process: "readonly",
        console: "readonly",
        performance: "readonly",
        URL: "readonly",
        setTimeout: "readonly",
        clearTimeout: "readonly",
        setInterval: "readonly",
        Buffer: "readonly",
        AbortController: "readonly",
      },
    },
    rules: { "no-restricted-properties": "off" },
  },
);
