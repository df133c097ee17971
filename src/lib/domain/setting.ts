/** A setting's kind decides how it is checked and shown. */
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
   * It decides whom to trust: what comes into packages, who may upload, whether it is built and tested,
   * what clients are told, where the report goes. It counts only from where the state's owner or root
   * alone can have written it.
   */
  readonly trust?: true;
}
