/**
 * What kind of value completes a word: none, a file, a folder, free text, one of a list, or one of those
 * that `completion --values` tells when it is asked.
 */
export type Value =
  | null
  | "file"
  | "folder"
  | "text"
  | readonly string[]
  | { readonly ask: string };

/** Narrows a value to those that are asked for. */
const isAsked = (value: Value): value is { readonly ask: string } =>
  typeof value === "object" && value !== null && "ask" in value;

export interface CompletedCommand {
  /** The canonical name first, then its other spellings. */
  readonly names: readonly [string, ...string[]];
  readonly summary: string;
  readonly options: readonly {
    /** As typed: `-v`, `--verbosity`. */
    readonly names: readonly string[];
    readonly summary: string;
    readonly value: Value;
  }[];
  /** Its first argument. */
  readonly argument: Value;
  readonly verbs: readonly CompletedCommand[];
}

/** Shells that have a completion script. */
export const shells = ["bash", "zsh", "fish"] as const;

/** A script that completes commands, verbs, options and values in that shell. */
export function completionScript(
  shell: (typeof shells)[number],
  program: CompletedCommand,
): string {
  switch (shell) {
    case "bash":
      return bashScript(program);
    case "zsh":
      return zshScript(program);
    case "fish":
      return fishScript(program);
  }
}

/** A command and its position in the tree: "", "land", "archive/list". */
interface Place {
  readonly at: string;
  readonly command: CompletedCommand;
}

function placesOf(command: CompletedCommand, at = ""): Place[] {
  return [
    { at, command },
    ...command.verbs.flatMap((verb) =>
      placesOf(verb, at === "" ? verb.names[0] : `${at}/${verb.names[0]}`),
    ),
  ];
}

/** Command names that are unlikely to clash with another program's, as `status` and `log` would. */
function ownNames(program: CompletedCommand): string[] {
  return program.verbs
    .flatMap(({ names }) => names)
    .filter((name) => /[-_]/.test(name));
}

const optionNames = ({ options }: CompletedCommand, valued: boolean) =>
  options
    .filter(({ value }) => !valued || value !== null)
    .flatMap(({ names }) => names);

/** Lines that complete the value of the option before the cursor, and end there; for bash and zsh alike. */
function optionValueLines(
  places: readonly Place[],
  give: (value: Value) => string,
): string[] {
  return [
    "  if [[ -n $skip ]]; then",
    '    case "$at $prev" in',
    ...places.flatMap(({ at, command }) =>
      command.options
        .filter(({ value }) => value !== null && value !== "text")
        .map(
          ({ names, value }) =>
            `      ${names.map((name) => `'${at} ${name}'`).join(" | ")}) ${give(value)} ;;`,
        ),
    ),
    "    esac",
    "    return",
    "  fi",
  ];
}

/** The lines that find the cursor's place in the command tree; bash and zsh both accept them. */
function whereLines(program: CompletedCommand): string[] {
  const steps = placesOf(program).flatMap(({ at, command }) =>
    command.verbs.map((verb) => {
      const to = at === "" ? verb.names[0] : `${at}/${verb.names[0]}`;
      const patterns = verb.names.map((name) => `'${at} ${name}'`).join(" | ");
      return `      ${patterns}) at='${to}' ;;`;
    }),
  );
  const valued = placesOf(program).map(
    ({ at, command }) =>
      `      '${at}') valued=' ${optionNames(command, true).join(" ")} ' ;;`,
  );
  return [
    '  case "${called##*/}" in',
    ...program.verbs
      .filter(({ names }) => names.some((name) => /[-_]/.test(name)))
      .map(({ names }) => `    ${names.join(" | ")}) at='${names[0]}' ;;`),
    "  esac",
    '  for word in "${before[@]}"; do',
    "    if [[ -n $skip ]]; then",
    '      if [[ $skip == --state-dir ]]; then state=(--state-dir "$word"); fi',
    '      skip=""; continue',
    "    fi",
    '    case "$at" in',
    ...valued,
    "    esac",
    '    if [[ $valued == *" $word "* ]]; then skip=$word; continue; fi',
    '    case "$at $word" in',
    ...steps,
    "    esac",
    "  done",
  ];
}

/** Asks the program that is completed, in bash and zsh, for values of its state; silent when it has none. */
const asking = (shell: string, kind: string) =>
  `"\${called%"\${called##*/}"}ubuntu-ci" completion ${shell} --values ${kind} "\${state[@]}" 2>/dev/null`;

const askingInFish = (kind: string) =>
  `(ubuntu-ci completion fish --values ${kind} 2>/dev/null)`;

function bashScript(program: CompletedCommand): string {
  const places = placesOf(program);
  const give = (value: Value): string => {
    if (value === "file")
      return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur")';
    if (value === "folder")
      return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur")';
    if (value === null || value === "text") return ":";
    if (isAsked(value))
      return `mapfile -t COMPREPLY < <(compgen -W "$(${asking("bash", value.ask)})" -- "$cur")`;
    return `mapfile -t COMPREPLY < <(compgen -W '${value.join(" ")}' -- "$cur")`;
  };
  return [
    "# bash completion of ubuntu-ci, as `ubuntu-ci completion bash` prints it.",
    "_ubuntu_ci() {",
    "  local cur=${COMP_WORDS[COMP_CWORD]} called=${COMP_WORDS[0]}",
    "  local prev=${COMP_WORDS[COMP_CWORD-1]} at='' skip='' valued='' word state=()",
    '  local before=("${COMP_WORDS[@]:1:COMP_CWORD-1}")',
    "  COMPREPLY=()",
    ...whereLines(program),
    ...optionValueLines(places, give),
    "  if [[ $cur == -* ]]; then",
    '    case "$at" in',
    ...places.map(
      ({ at, command }) =>
        `      '${at}') ${give(optionNames(command, false))} ;;`,
    ),
    "    esac",
    "    return",
    "  fi",
    '  case "$at" in',
    ...places.map(
      ({ at, command }) => `    '${at}') ${give(argumentOf(command))} ;;`,
    ),
    "  esac",
    "}",
    `complete -F _ubuntu_ci ubuntu-ci ${ownNames(program).join(" ")}`,
    "",
  ].join("\n");
}

/** What a word that is not an option can be: a verb, or the argument. */
function argumentOf({ verbs, argument }: CompletedCommand): Value {
  return verbs.length > 0 ? verbs.flatMap(({ names }) => names) : argument;
}

function zshScript(program: CompletedCommand): string {
  const places = placesOf(program);
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const give = (value: Value): string => {
    if (value === "file") return "_files";
    if (value === "folder") return "_files -/";
    if (value === null || value === "text") return ":";
    if (isAsked(value))
      return `compadd -- \${(f)"$(${asking("zsh", value.ask)})"}`;
    return `compadd -- ${value.join(" ")}`;
  };
  const described = (
    rows: readonly { names: readonly string[]; summary: string }[],
  ) =>
    rows
      .flatMap(({ names, summary }) =>
        names.map((name) => quoted(`${name}:${summary}`)),
      )
      .join(" ");
  return [
    `#compdef ubuntu-ci ${ownNames(program).join(" ")}`,
    "# zsh completion of ubuntu-ci, as `ubuntu-ci completion zsh` prints it.",
    "_ubuntu_ci() {",
    "  emulate -L zsh",
    "  local called=$words[1] prev=$words[CURRENT-1] at='' skip='' valued='' word",
    "  local -a before found state",
    "  before=($words[2,CURRENT-1])",
    ...whereLines(program),
    ...optionValueLines(places, give),
    "  if [[ $words[CURRENT] == -* ]]; then",
    '    case "$at" in',
    ...places.map(
      ({ at, command }) =>
        `      '${at}') found=(${described(command.options)}) ;;`,
    ),
    "    esac",
    "    _describe -t options option found",
    "    return",
    "  fi",
    '  case "$at" in',
    ...places.map(({ at, command }) =>
      command.verbs.length > 0
        ? `    '${at}') found=(${described(command.verbs)}); _describe -t commands command found ;;`
        : `    '${at}') ${give(command.argument)} ;;`,
    ),
    "  esac",
    "}",
    // zsh runs this as the function's body when it autoloads it from fpath; when sourced, it registers
    // it.
    'if [[ $funcstack[1] == _ubuntu_ci ]]; then _ubuntu_ci "$@"; else compdef _ubuntu_ci ubuntu-ci; fi',
    "",
  ].join("\n");
}

function fishScript(program: CompletedCommand): string {
  const quoted = (text: string) =>
    `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const give = (value: Value): string => {
    if (value === null) return "";
    if (value === "file") return " -r -F";
    if (value === "folder") return " -x -a '(__fish_complete_directories)'";
    if (value === "text") return " -x";
    if (isAsked(value)) return ` -x -a ${quoted(askingInFish(value.ask))}`;
    return ` -x -a ${quoted(value.join(" "))}`;
  };
  const lines = [
    "# fish completion of ubuntu-ci, as `ubuntu-ci completion fish` prints it.",
    "complete -c ubuntu-ci -e",
    "complete -c ubuntu-ci -f",
  ];
  const add = (condition: string, command: CompletedCommand) => {
    const when = `complete -c ubuntu-ci -n ${quoted(condition)}`;
    const verbs = command.verbs.flatMap(({ names }) => names);
    const before =
      verbs.length === 0
        ? condition
        : `${condition}; and not __fish_seen_subcommand_from ${verbs.join(" ")}`;
    for (const { names, summary } of command.verbs)
      for (const name of names)
        lines.push(
          `complete -c ubuntu-ci -n ${quoted(before)} -a ${name} -d ${quoted(summary)}`,
        );
    for (const { names, summary, value } of command.options) {
      const flags = names.map((name) =>
        name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
      );
      lines.push(
        `${when} ${flags.join(" ")}${give(value)} -d ${quoted(summary)}`,
      );
    }
    const { argument } = command;
    if (argument === "file" || argument === "folder") lines.push(`${when} -F`);
    else if (isAsked(argument))
      lines.push(`${when} -a ${quoted(askingInFish(argument.ask))}`);
    else if (argument !== null && argument !== "text")
      lines.push(`${when} -a ${quoted(argument.join(" "))}`);
    for (const verb of command.verbs)
      add(
        `${condition === "true" ? "" : `${condition}; and `}__fish_seen_subcommand_from ${verb.names.join(" ")}`,
        verb,
      );
  };
  add("true", program);
  return `${lines.join("\n")}\n`;
}
