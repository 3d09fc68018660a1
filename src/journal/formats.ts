/** Formats of the stored journal. One without its first records has another: a program that knows the first alone would miss them. */
export interface Formats {
  readonly whole: string;
  readonly compacted: string;
}

export const postgresFormats = { whole: "1", compacted: "2" } as const satisfies Formats;

/** Of `journal.db`. */
export const fileFormats = { whole: "3", compacted: "4" } as const satisfies Formats;

/** Of before, when each record was put into the index of works as it came. A start makes them what they are now. */
export const olderFileFormats = { whole: "1", compacted: "2" } as const satisfies Formats;

export function isFileFormat(format: unknown): boolean {
  return [fileFormats, olderFileFormats].some(({ whole, compacted }) => format === whole || format === compacted);
}
