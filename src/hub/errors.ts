/** Whether the system said one of these (`ENOENT`, …). */
export function isOneOf(error: unknown, codes: readonly string[]): boolean {
  return codes.includes(String((error as { code?: unknown }).code));
}
