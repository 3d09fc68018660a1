/** What a planted bug is: see `mutants.ts`. */
export interface Mutant {
  readonly name: string;
  readonly says: string;
  /** Below `src/`. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export const m = (name: string, says: string, file: string, from: string, to: string): Mutant => ({
  name,
  says,
  file,
  from,
  to,
});
