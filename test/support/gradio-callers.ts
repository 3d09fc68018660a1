/** Gradio's own clients, each as its users have it: one answer for a call, whichever of them made it. */
import { spawn, type ChildProcess } from "node:child_process";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { Client } from "@gradio/client";

/** What a caller saw of one call. */
export interface Said {
  /** Everything that the function gave, in order; undefined where only the last of it can be seen. */
  readonly updates: readonly unknown[] | undefined;
  /** The last of it; undefined where the call failed. */
  readonly result: unknown;
  /** The sentence that the caller was given; undefined where it went well. */
  readonly error: string | undefined;
  /** Messages that a page shows in a corner; undefined of the Python client, which passes none on. */
  readonly toasts: readonly string[] | undefined;
}

export interface Asked {
  readonly url: string;
  readonly api: string;
  readonly x: number;
  /** An account's token; without one the call is its address's. */
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export interface GradioCaller extends AsyncDisposable {
  readonly name: string;
  call(asked: Asked): Promise<Said>;
}

/** A call that has said nothing for so long hangs, and so would its visitor. */
const answerWithinMs = 300_000;

/** `@gradio/client`. */
export function nodeCaller(): GradioCaller {
  const clients = new Map<string, Promise<Client>>();
  const connect = ({ url, token, headers }: Asked): Promise<Client> => {
    const options = {
      events: ["data" as const, "status" as const, "log" as const],
      ...(token === undefined ? {} : { token: token as `hf_${string}` }),
      ...(headers === undefined ? {} : { headers: { ...headers } }),
    };
    const key = JSON.stringify([url, options]);
    const client = clients.get(key) ?? Client.connect(url, options);
    clients.set(key, client);
    return client;
  };
  return {
    name: "@gradio/client",
    call: async (asked) => within(answerWithinMs, asked.api, callWith(await connect(asked), asked)),
    [Symbol.asyncDispose]: async () => {
      for (const client of clients.values()) (await client).close();
    },
  };
}

async function callWith(client: Client, { api, x }: Asked): Promise<Said> {
  const updates: unknown[] = [];
  const toasts: string[] = [];
  for await (const event of client.submit(`/${api}`, [x])) {
    if (event.type === "data") updates.push(event.data[0]);
    else if (event.type === "log") toasts.push(event.log);
    else if (event.type === "status" && event.stage === "error")
      return { updates, result: undefined, error: event.message ?? "", toasts };
  }
  return { updates, result: updates.at(-1), error: undefined, toasts };
}

/** No client at all: Gradio's API as a script uses it, so that whatever becomes of its connections is seen. */
export function httpCaller(): GradioCaller {
  return {
    name: "HTTP",
    call: (asked) => within(answerWithinMs, asked.api, callOverHttp(asked)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function callOverHttp({ url, api, x, token, headers }: Asked): Promise<Said> {
  const bearer = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const sent = { "content-type": "application/json", ...bearer, ...headers };
  const told = `${url}/gradio_api/call/${api}`;
  const failed = (error: string): Said => ({ updates: undefined, result: undefined, error, toasts: undefined });
  try {
    const joined = await fetch(told, { method: "POST", headers: sent, body: JSON.stringify({ data: [x] }) });
    const answer = await joined.text();
    if (!joined.ok) return failed(`${joined.status} ${answer}`);
    const { event_id } = JSON.parse(answer) as { readonly event_id: string };
    const events = await fetch(`${told}/${event_id}`, { headers: sent });
    const text = await events.text();
    if (!events.ok) return failed(`${events.status} ${text}`);
    const whole = /^event: complete\ndata: (.*)$/m.exec(text)?.[1];
    if (whole === undefined) return failed(text);
    const [result] = JSON.parse(whole) as readonly unknown[];
    return { updates: undefined, result, error: undefined, toasts: undefined };
  } catch (error) {
    return failed(`the connection broke: ${String((error as Error).cause ?? error)}`);
  }
}

interface Told {
  readonly call: number;
  readonly updates?: readonly unknown[];
  readonly result?: unknown;
  readonly error?: string;
}

/** `gradio_client`, with the packages of `python`'s environment. */
export function pythonCaller(python: string): GradioCaller {
  const program = resolve(import.meta.dirname, "../apps/gradio_caller.py");
  const child = spawn(python, [program], { stdio: ["pipe", "pipe", "pipe"] });
  const waiting = new Map<number, PromiseWithResolvers<Told>>();
  const complaints: string[] = [];
  let calls = 0;
  createInterface({ input: child.stderr }).on("line", (line) => complaints.push(line));
  createInterface({ input: child.stdout }).on("line", (line) => {
    const told = JSON.parse(line) as Told;
    waiting.get(told.call)?.resolve(told);
  });
  child.once("exit", (code) => {
    const error = new Error(`gradio_client ended with ${code}: ${complaints.slice(-5).join(" ⏎ ")}`);
    for (const { reject } of waiting.values()) reject(error);
  });
  return {
    name: "gradio_client",
    call: async ({ x, ...asked }) => {
      const call = ++calls;
      const answer = Promise.withResolvers<Told>();
      waiting.set(call, answer);
      child.stdin.write(`${JSON.stringify({ call, ...asked, api: `/${asked.api}`, args: [x] })}\n`);
      const told = await within(answerWithinMs, asked.api, answer.promise);
      return { updates: told.updates ?? [], result: told.result, error: told.error, toasts: undefined };
    },
    [Symbol.asyncDispose]: () => endChild(child),
  };
}

async function endChild(child: ChildProcess): Promise<void> {
  const ended = child.exitCode !== null || new Promise((done) => child.once("exit", done));
  child.kill();
  await ended;
}

async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${what}: no answer within ${ms} ms`)), ms);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
