/** A small Gradio app as it is written for Spaces, with a function for each way that an event can go; and how a test asks it. */
import type { RequestView } from "../../src/contract/requests.ts";
import { ApiError } from "../../src/client/errors.ts";
import type { Explanation } from "../../src/evidence/verdict.ts";
import { until, type Account, type Platform } from "./platform.ts";

const app = `
import time

import gradio as gr
import spaces


def slow(seconds):
    time.sleep(seconds)
    return f"slept {seconds}"


def counts(upto):
    for i in range(int(upto)):
        time.sleep(0.05)
        yield i


def shown(text):
    raise gr.Error(text)


def hidden(text):
    raise ValueError("a secret of the app")


@spaces.GPU(duration=1)
def outlives(seconds):
    time.sleep(seconds)
    return "too late"


@spaces.GPU(duration=20)
def works(seconds):
    time.sleep(seconds)
    return "done"


@spaces.GPU(duration=20)
def draws(seconds):
    time.sleep(seconds)
    return "drawn"


@spaces.GPU(duration=20)
def breaks(text):
    raise ValueError("a secret of the app")


class OutOfMemoryError(RuntimeError):
    """As torch names it."""


@spaces.GPU(duration=20)
def fills(text):
    raise OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


with gr.Blocks() as demo:
    number, text, out = gr.Number(value=0), gr.Textbox(), gr.Textbox()
    for fn in (slow, counts, outlives, works, draws):
        gr.Button().click(fn, number, out, api_name=fn.__name__)
    for fn in (shown, hidden, breaks, fills):
        gr.Button().click(fn, text, out, api_name=fn.__name__)

if __name__ == "__main__":
    demo.launch()
`;

export const gradioFiles: Readonly<Record<string, string>> = {
  "README.md": '---\nsdk: gradio\nsdk_version: 6.31.0\npython_version: "3.10"\n---\n',
  "requirements.txt": "",
  "app.py": app,
  // The fixture's own files, which `deploy` would add.
  "package.json": "",
  "server.js": "",
  "work.js": "",
};

/** A join of this account's that is not among `before`, once it has ended in the record. */
export async function endedJoin(account: Account, space: string, before: ReadonlySet<string>): Promise<RequestView> {
  return until("the join has ended in the record", async () => {
    const { items } = await account.client.requests(space);
    return items.find(({ id, path }) => path.endsWith("/queue/join") && !before.has(id));
  });
}

export async function requestsOf(account: Account, space: string): Promise<ReadonlySet<string>> {
  const { items } = await account.client.requests(space);
  return new Set(items.map(({ id }) => id));
}

/** `POST …/call/NAME`: the work of the join and the event's id. */
export async function callByHand(
  url: string,
  name: string,
  data: readonly unknown[],
  account?: Account,
): Promise<{ readonly work: string; readonly event: string }> {
  const response = await fetch(`${url}/gradio_api/call/${name}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(account ? { authorization: `Bearer ${account.token}` } : {}),
    },
    body: JSON.stringify({ data }),
  });
  const { event_id: event } = (await response.json()) as { event_id?: string };
  if (event === undefined) throw new Error(`${name} was not joined: ${response.status}`);
  return { work: response.headers.get("x-waybill-id") ?? "", event };
}

/** The event's own stream, read to its end. */
export async function resultByHand(url: string, name: string, event: string): Promise<string> {
  return (await fetch(`${url}/gradio_api/call/${name}/${event}`)).text();
}

/** Joins the queue in a session of its own, as Gradio's page does, and reads what becomes of it. */
export async function joinByHand(
  url: string,
  name: string,
  data: readonly unknown[],
  account: Account,
): Promise<{ readonly work: string; readonly told: Promise<string>; leave(): void }> {
  const headers = { "content-type": "application/json", authorization: `Bearer ${account.token}` };
  const config = (await (await fetch(`${url}/config`)).json()) as { dependencies: { id: number; api_name: string }[] };
  const fn_index = config.dependencies.find(({ api_name }) => api_name === name)?.id;
  const session_hash = `by-hand-${++sessions}`;
  const body = JSON.stringify({ data, fn_index, session_hash });
  const joined = await fetch(`${url}/gradio_api/queue/join`, { method: "POST", headers, body });
  // Read to its end: a client that throws an answer away closes its connection, as a visitor who leaves does.
  const answered = await joined.text();
  if (!joined.ok) throw new Error(`${name} was not joined: ${joined.status} ${answered}`);
  const leave = new AbortController();
  const answer = fetch(`${url}/gradio_api/queue/data?session_hash=${session_hash}`, { headers, signal: leave.signal });
  const told = answer.then((stream) => stream.text());
  told.catch(() => undefined); // Whoever leaves is not told.
  return { work: joined.headers.get("x-waybill-id") ?? "", told, leave: () => leave.abort() };
}
let sessions = 0;

/** What is said of a request as soon as something is; while it is open this is after a second. */
export async function said(up: Platform, id: string, is: (explanation: Explanation) => boolean): Promise<Explanation> {
  let last: Explanation | undefined;
  try {
    return await until(`what is said of ${id}`, async () => {
      last = await explained(up, id);
      return last !== undefined && is(last) ? last : undefined;
    });
  } catch (error) {
    throw new Error(`${String(error)}: ${JSON.stringify(last)}`, { cause: error });
  }
}

/** What is said of a request once it is not open any more. */
export function told(up: Platform, id: string): Promise<Explanation> {
  return said(up, id, ({ outcome, verdict }) => outcome !== "open" && verdict?.certainty !== "unknown");
}

async function explained(up: Platform, id: string): Promise<Explanation | undefined> {
  try {
    return await up.admin.explain(id);
  } catch (error) {
    if (error instanceof ApiError && error.problem.status === 404) return undefined; // Nothing of it is written yet.
    throw error;
  }
}
