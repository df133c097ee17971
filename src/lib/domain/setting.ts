/** The type of a setting's value, by which it is checked and shown. */
export type SettingKind =
  | { readonly type: "string"; readonly choices?: readonly string[] }
  | { readonly type: "integer"; readonly min: number; readonly max: number }
  | { readonly type: "boolean" }
  | { readonly type: "list" }
  /** Names, and a text for each. */
  | { readonly type: "table" };

export interface Setting {
  readonly key: string;
  readonly kind: SettingKind;
  readonly default:
    | string
    | number
    | boolean
    | readonly string[]
    | Readonly<Record<string, string>>
    | null;
  readonly help: string;
  /**
   * The setting decides whom to trust: what gets into packages, who may upload, whether uploads are built
   * and tested, what clients are told, where the report and mails are sent. It is accepted only from a file that
   * nobody but the state's owner or root can have written.
   */
  readonly trust?: true;
}
