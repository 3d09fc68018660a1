/** What a visitor is to see of a fault, and answers that break off. */
import type { Work } from "./case.ts";

/** The request that this answer is of, which is wrong where the visitor saw another status. */
export function seen({ work, status }: { readonly work: string; readonly status: number }, wanted: number): Work {
  return { id: work, also: () => otherThan(wanted, status) };
}

export function otherThan(wanted: number, status: number): string | undefined {
  return status === wanted ? undefined : `the visitor saw ${status}`;
}

/** An answer that begins, and does not come to its end: the id stands in its head. */
export async function cut(url: string, token: string, meanwhile?: () => void): Promise<string> {
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  meanwhile?.();
  const whole = await response.text().then(
    () => true,
    () => false,
  );
  if (whole) throw new Error(`the answer to ${url} looked whole`);
  return response.headers.get("x-waybill-id") ?? "";
}
