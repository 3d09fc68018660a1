/** The works that a work began, each asked for by its id: what `waybill explain --hops` draws under the hops that began them. */
import type { Problem } from "../contract/problem.ts";
import { hopThatBegan, type Beneath } from "../evidence/nesting.ts";
import type { Explanation, Link } from "../evidence/verdict.ts";

/** A request, its call, and what that opened. */
const depthMax = 3;
/** All together: more are among the links, each with its id. */
const worksMax = 20;

/** `ask` gives nothing of a work that is not told to who asks. */
export async function beneathOf(
  explanation: Explanation,
  ask: (id: string) => Promise<Explanation | undefined>,
): Promise<readonly Beneath[]> {
  const seen = new Set([explanation.id]);
  const follow = async ({ kind, links }: Explanation, depth: number): Promise<readonly Beneath[]> => {
    const found: Beneath[] = [];
    for (const link of depth < depthMax ? links : []) {
      const hop = hopThatBegan(kind, link);
      if (hop === undefined || seen.has(link.id) || seen.size > worksMax) continue;
      seen.add(link.id);
      const told = await ask(link.id);
      if (told !== undefined)
        found.push({ hop, explanation: told, ...likelyOf(link), beneath: await follow(told, depth + 1) });
    }
    return found;
  };
  return follow(explanation, 0);
}

function likelyOf({ likely }: Link): Pick<Beneath, "likely"> {
  return likely === undefined ? {} : { likely };
}

/** What is not for who asks, or gone by now, is left out. */
export async function ifTold<Told>(asked: Promise<Told>): Promise<Told | undefined> {
  try {
    return await asked;
  } catch (error) {
    const problem = (error as { readonly problem?: Problem }).problem;
    if ((error as Error).name === "ApiError" && (problem?.status === 403 || problem?.status === 404)) return undefined;
    throw error;
  }
}
