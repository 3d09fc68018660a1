/** What identity keeps between starts, as it needs it: the catalog's settings implement this. Values are secrets. */
export interface SecretSettings {
  get(key: string): Promise<string | null>;
  /** `asked`: a request's effect. */
  set(key: string, value: string, how?: { readonly asked?: boolean }): Promise<void>;
  /** Keeps `value` if nothing was kept under `key`; gives what is kept then. */
  setOnce(key: string, value: string): Promise<string>;
}
