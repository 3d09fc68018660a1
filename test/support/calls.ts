/** GPU calls of the fixture app, begun and seen to their end as their account sees them. */
import type { WaybillClient } from "../../src/client/api.ts";
import { ApiError } from "../../src/client/errors.ts";
import type { CallView } from "../../src/contract/api.ts";
import { until, visit, type Account, type App } from "./platform.ts";

/** The call as it stands when it has its receipt. */
export async function endedCall(client: WaybillClient, id: string, withinMs?: number): Promise<CallView> {
  return until(
    `call ${id} has ended`,
    async () => {
      const call = await client.call(id);
      return call.stage === "ended" && call.receipt !== null ? call : undefined;
    },
    withinMs,
  );
}

/** A visit that borrows a GPU for a moment, and its call when that has ended. Rejects where it is not answered. */
export async function borrowed(account: Account, { url }: Pick<App, "url">): Promise<CallView> {
  const { status, text, call } = await visit(`${url}/gpu/hold?seconds=0.1`, account);
  if (status !== 200) throw new Error(`${url} answered ${status}: ${text}`);
  return endedCall(account.client, call);
}

/** The account's newest call that is in `stage`, as `waybill calls` shows it. */
export async function newestCall(
  account: Pick<Account, "name" | "client">,
  stage: CallView["stage"],
  except: ReadonlySet<string> = new Set(),
): Promise<CallView> {
  return until(`${account.name} has a call that is ${stage}`, async () => {
    const { items } = await account.client.calls({ account: account.name });
    return items.find((call) => call.stage === stage && !except.has(call.id));
  });
}

/** Calls that the account has now: what comes later is another. */
export async function callsOf(account: Pick<Account, "name" | "client">): Promise<ReadonlySet<string>> {
  return new Set((await listOf(account)).map(({ id }) => id));
}

/** The account's newest calls; none of an address that nobody has called from: it has no account yet. */
export async function listOf({ name, client }: Pick<Account, "name" | "client">): Promise<readonly CallView[]> {
  try {
    return (await client.calls({ account: name })).items;
  } catch (error) {
    if (error instanceof ApiError && error.problem.code === "not-found" && name.startsWith("address:")) return [];
    throw error;
  }
}

/** A call that runs until it is left. */
export interface Running extends AsyncDisposable {
  readonly call: CallView;
  readonly answer: Promise<{ status: number; work: string; call: string; text: string } | undefined>;
  leave(): void;
}

/** Starts a call of `account` that holds its GPU for `seconds`, and waits until its function has been entered. */
export async function running(
  account: Account,
  app: App,
  query = "seconds=30&stop=1",
  path = "/gpu/hold",
): Promise<Running> {
  const before = await callsOf(account);
  const leave = new AbortController();
  const answer = visit(`${app.url}${path}?${query}`, account, { signal: leave.signal }).catch(() => undefined); // Told below.
  const refused = answer.then((said) => {
    throw new Error(`the call was answered before its function ran: ${said?.status} ${said?.text}`);
  });
  const call = await Promise.race([newestCall(account, "running", before), refused]);
  refused.catch(() => undefined); // From here on its end is the case's matter.
  return {
    call,
    answer,
    leave: () => leave.abort(),
    [Symbol.asyncDispose]: async () => {
      leave.abort();
      await answer;
    },
  };
}
