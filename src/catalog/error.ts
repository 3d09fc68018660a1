/** Failures of the catalog: the database or its content is not what it must be. What a caller asks wrongly is a value instead. */

export type CatalogErrorCode =
  | "catalog-too-new" // written by a newer version of the program
  | "projection-gap" // a journal record was left out
  | "names-exhausted"; // no free address for a Space after many tries

export class CatalogError extends Error {
  override readonly name = "CatalogError";
  readonly code: CatalogErrorCode;

  constructor(code: CatalogErrorCode, says: string, options?: ErrorOptions) {
    super(says, options);
    this.code = code;
  }
}
