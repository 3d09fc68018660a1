/** Visitors who show one access token without a pause, before and after it is revoked. */
import { request } from "node:http";
import type { Agent } from "node:http";

/** So many refusals in a row on each connection, after which none of them is taken for known any more. */
const refusalsEnough = 20;
/** Asked so often by each before the order, so that every worker knows the token. */
const warmAnswers = 10;

export interface Asked {
  /** From the order's being sent to the last answer that was not a refusal. */
  readonly lastMs: number;
  /** A request of each connection, from before the order: refusals are counted after the first hundred of a minute, and name no worker then. */
  readonly works: readonly string[];
}

export async function asked(
  url: string,
  token: string,
  agents: readonly Agent[],
  revoke: () => Promise<void>,
): Promise<Asked> {
  const headers = { authorization: `Bearer ${token}` };
  const works: string[] = [];
  for (const agent of agents)
    for (let n = 0; n < warmAnswers; n++) {
      const { status, work } = await get(url, agent, headers);
      if (status !== 200) throw new Error(`a token that holds was answered ${status}`);
      if (n === 0) works.push(work);
    }
  const sentAt = performance.now();
  let lastAt = sentAt;
  const visitor = async (agent: Agent): Promise<void> => {
    for (let refusals = 0; refusals < refusalsEnough;) {
      const answer = await get(url, agent, headers);
      if (answer.status === 401) refusals += 1;
      else refusals = 0;
      if (answer.status === 200) lastAt = performance.now();
    }
  };
  const all = agents.map(visitor);
  await revoke();
  await Promise.all(all);
  return { works, lastMs: lastAt - sentAt };
}

function get(
  url: string,
  agent: Agent,
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly status: number; readonly work: string }> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { agent, headers }, (response) => {
      response.resume().on("error", reject);
      const work = response.headers["x-waybill-id"];
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, work: typeof work === "string" ? work : "" }),
      );
    });
    asking.on("error", reject).end();
  });
}
