/** What `waybill call` does: price, arguments, the call itself with what becomes of it, its receipt, and the files of its answer. */
import { mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import type { WaybillClient } from "../client/api.ts";
import { ApiError } from "../client/errors.ts";
import {
  GradioApp,
  GradioRefused,
  type GradioFunction,
  type GradioJoin,
  type GradioParameter,
} from "../client/gradio.ts";
import type { CallView, QuoteView } from "../contract/api.ts";
import { codeRow, isCode } from "../evidence/codes.ts";
import { contextOf, type Context } from "./context.ts";
import type { CallOptions } from "./commands/call.ts";
import { lengthOf, secondsOf } from "./draw/paper.ts";
import { exit } from "./exit.ts";
import { CliFailure } from "./failures.ts";
import type { CliWorld } from "./world.ts";

/** A place that changes is told so soon; each look is a request. */
const lookEveryMs = 400;
/** After the answer: what a settlement and the list of calls take. */
const receiptWithinMs = 10_000;
/** Files of one name in a folder: `out.png`, `out-1.png`, … */
const sameNamesMax = 1_000;

export async function callFunction(world: CliWorld, command: Command): Promise<void> {
  const context = contextOf(world, command);
  const [space, name, pairs] = command.processedArgs as [string, string, readonly string[]];
  const options = command.opts<CallOptions>();
  const [client, { token }] = await Promise.all([context.client(), context.where()]);
  const { addresses } = await client.space(space, { signal: world.signal });
  const app = new GradioApp({ url: addressFor(client.url, addresses), token, signal: world.signal });
  const fn = functionOf(await app.functions(), space, name);
  const given = argumentsOf(fn, pairs);
  const price = token === null ? undefined : await priceOf(client, space, fn.name, world.signal);
  context.note(`price    ${priceSays(price, token !== null)}\n`);
  if (price?.refused) throw failed(undefined, price.refused.says, space, price.refused.code);
  refuseAbove(options.max, price?.heldMs);
  const data = await Promise.all(given.map(async (value) => (value instanceof Sent ? app.upload(value.path) : value)));
  const joined = await app.join(fn, data);
  const watch = new Watch(context, client, joined, options.max);
  let outputs: readonly unknown[] | undefined;
  let failure: string | undefined;
  try {
    for await (const event of joined.events) {
      if (event.type === "log") context.note(`app      ${event.says}\n`);
      else if (event.type === "done") outputs = event.outputs;
      else if (event.type === "failed") failure = event.says;
      watch.throwIfOver();
    }
  } catch (error) {
    await joined.cancel();
    if (world.signal.aborted) context.note(`cancelled; what became of it: waybill calls\n`);
    throw watch.over ?? error;
  } finally {
    watch.stop();
  }
  const call = await watch.ended(price !== undefined);
  await noteReceipt(context, client, call);
  if (outputs === undefined) throw failed(call, failure ?? "The app gave no answer.", space);
  const saved: string[] = [];
  const answers = await Promise.all(outputs.map(async (output) => kept(app, output, options.save ?? ".", saved)));
  const document = {
    space,
    function: fn.name,
    request: joined.request,
    call: call?.id ?? null,
    receipt: call?.receipt ?? null,
    outputs: answers,
    files: saved,
  };
  const text = answers.length === 1 ? JSON.stringify(answers[0]) : JSON.stringify(answers);
  context.answer(document, context.quiet ? `${call?.id ?? joined.request ?? ""}\n` : `${text}\n`);
}

/** On this machine the numeric address, which needs no name; elsewhere the first that others reach. */
function addressFor(server: string, addresses: readonly string[]): string {
  const isHere = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(server).hostname);
  return (isHere ? addresses.at(-1) : addresses[0]) ?? server;
}

function functionOf(functions: readonly GradioFunction[], space: string, name: string): GradioFunction {
  const wanted = name.startsWith("/") ? name : `/${name}`;
  const found = functions.find((one) => one.name === wanted);
  if (found) return found;
  const names = functions.map((one) => one.name).join(", ");
  throw new GradioRefused(
    "no-such-function",
    `${space} has no function ${wanted}.`,
    `It has ${names || "none that is named"}.`,
  );
}

/** A file that is to be sent. */
class Sent {
  readonly path: string;
  constructor(path: string) {
    this.path = path;
  }
}

/** In the function's order; all that is wrong is told at once. */
export function argumentsOf({ name, parameters }: GradioFunction, pairs: readonly string[]): readonly unknown[] {
  const problems: string[] = [];
  const given = new Map<string, string>();
  for (const pair of pairs) {
    const [, key = "", value] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
    if (value === undefined) problems.push(`"${pair}" is not NAME=VALUE`);
    else if (!parameters.some(({ parameter_name }) => parameter_name === key)) problems.push(`there is no ${key}`);
    else if (given.has(key)) problems.push(`${key} is given twice`);
    else given.set(key, value);
  }
  const values = parameters.map((parameter) => {
    const text = given.get(parameter.parameter_name);
    if (text === undefined && !parameter.parameter_has_default) problems.push(`${parameter.parameter_name} is missing`);
    return text === undefined ? parameter.parameter_default : valueOf(parameter, text);
  });
  if (problems.length === 0) return values;
  const takes = parameters.map(
    (one) => `${one.parameter_name}${one.parameter_has_default ? `=${JSON.stringify(one.parameter_default)}` : ""}`,
  );
  throw new GradioRefused(
    "arguments",
    `${problems.join("; ")}.`,
    `${name} takes ${takes.join(", ") || "nothing"}; a file is given as NAME=@FILE.`,
  );
}

function valueOf({ type }: GradioParameter, text: string): unknown {
  if (text.startsWith("@") && text.length > 1) return new Sent(text.slice(1));
  if (type?.type === "string") return text;
  try {
    return JSON.parse(text);
  } catch {
    return text; // Words that are no JSON are words.
  }
}

/** Undefined where it is not known yet. */
async function priceOf(
  client: WaybillClient,
  space: string,
  endpoint: string,
  signal: AbortSignal,
): Promise<QuoteView | undefined> {
  try {
    return await client.quote({ space, endpoint }, { signal });
  } catch (error) {
    // Not known, or not told to a token that may not read.
    if (error instanceof ApiError && [403, 404].includes(error.problem.status)) return undefined;
    throw error;
  }
}

function priceSays(price: QuoteView | undefined, isSignedIn: boolean): string {
  if (!isSignedIn) return "known to who is signed in (waybill login)";
  if (price === undefined) return "not known before the function's first call";
  if (price.refused) return "none: it would be refused";
  const usual = price.usual
    ? `; usually ${secondsOf(price.usual.medianMs)} (${price.usual.runs === 1 ? "1 call" : `${price.usual.runs} calls`})`
    : "";
  return `holds ${secondsOf(price.heldMs)}${price.clipped ? ", less than it declares" : ""}${usual}`;
}

function refuseAbove(maxMs: number | undefined, heldMs: number | undefined): void {
  if (maxMs === undefined || heldMs === undefined || heldMs <= maxMs) return;
  throw new CliFailure(exit.refused, {
    code: "price-above-max",
    says: `it holds ${secondsOf(heldMs)}, and --max is ${secondsOf(maxMs)}. Nothing was called.`,
    next: "Allow more with --max, or leave it out.",
  });
}

/** Follows the GPU call of a request, beside the app's own stream. */
class Watch {
  /** Why it was cancelled by us; undefined where it was not. */
  over: CliFailure | undefined;
  readonly #context: Context;
  readonly #client: WaybillClient;
  readonly #joined: GradioJoin;
  readonly #maxMs: number | undefined;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #call: CallView | undefined;
  #said = "";

  constructor(context: Context, client: WaybillClient, joined: GradioJoin, maxMs: number | undefined) {
    this.#context = context;
    this.#client = client;
    this.#joined = joined;
    this.#maxMs = maxMs;
    this.#done = this.#follow().catch(() => undefined); // What it tells is beside the call: the call's own end says what went wrong.
  }

  stop(): void {
    this.#stop.abort();
  }

  throwIfOver(): void {
    if (this.over) throw this.over;
  }

  /** The call with its receipt; undefined where there was none, or none is told in time. `borrows`: its function is known to borrow a GPU. */
  async ended(borrows: boolean): Promise<CallView | undefined> {
    await this.#done;
    const { signal } = this.#context.world;
    for (let waited = 0; waited < receiptWithinMs; waited += lookEveryMs) {
      this.#call = await this.#look(signal).catch(() => undefined); // As above.
      if (this.#call === undefined ? !borrows : this.#call.stage === "ended") break;
      await delay(lookEveryMs, undefined, { signal });
    }
    return this.#call;
  }

  async #follow(): Promise<void> {
    const signal = AbortSignal.any([this.#context.world.signal, this.#stop.signal]);
    for (;;) {
      // A server that is away is back at a later look, and by it --max is kept; to who may not look nothing is told.
      const call = await this.#look(signal).catch((error: unknown) => {
        if (error instanceof ApiError && [401, 403].includes(error.problem.status)) throw error;
      });
      if (call) await this.#tell((this.#call = call));
      if (this.#call?.stage === "ended") return;
      await delay(lookEveryMs, undefined, { signal });
    }
  }

  async #look(signal: AbortSignal): Promise<CallView | undefined> {
    if (this.#joined.request === null) return undefined;
    if (this.#call) return this.#client.call(this.#call.id, { signal });
    const { items } = await this.#client.calls({ signal });
    return items.find(({ request }) => request === this.#joined.request);
  }

  async #tell({ id, stage, heldMs, queuedMs, waiting }: CallView): Promise<void> {
    if (this.#maxMs !== undefined && heldMs > this.#maxMs && stage !== "ended") {
      this.over = new CliFailure(exit.refused, {
        code: "price-above-max",
        says: `it held ${secondsOf(heldMs)}, and --max is ${secondsOf(this.#maxMs)}: it was cancelled.`,
        next: `What it cost: waybill explain ${id}`,
      });
      // Where the token may not order that, the app's own end of it does.
      await Promise.allSettled([this.#client.cancelCall(id), this.#joined.cancel()]);
      return;
    }
    const says =
      stage === "queued"
        ? `queue    ${waiting?.says ?? "waits"}\n`
        : stage === "ended"
          ? ""
          : `granted  after ${lengthOf(queuedMs)}\n`;
    if (says === this.#said || says === "") return;
    this.#said = says;
    this.#context.note(says);
  }
}

async function noteReceipt(context: Context, client: WaybillClient, call: CallView | undefined): Promise<void> {
  if (!call || call.stage !== "ended") return;
  const { leftMs } = await client.quota({ signal: context.world.signal });
  const left = leftMs === null ? "" : `, ${secondsOf(leftMs)} left`;
  const given = secondsOf(Math.max(0, call.heldMs - call.chargedMs));
  context.note(
    `receipt  ${call.receipt ?? "none"}: charged ${secondsOf(call.chargedMs)}, ${given} given back${left}\n`,
  );
}

/** By what the platform recorded of the call; else it is the app's own failure. */
function failed(
  call: CallView | undefined,
  says: string,
  space: string,
  code = call?.code ?? "app/reported",
): ApiError {
  const row = isCode(code) ? codeRow(code) : undefined;
  const [boundary = "app", ...name] = code.split("/");
  return new ApiError({
    type: "about:blank",
    title: "The call failed",
    status: row?.status ?? 500,
    detail: says,
    boundary,
    code: name.join("/") || code,
    owner: row?.owner ?? "app",
    retry: row?.retry ?? "never",
    next: row?.next ?? `Its log says more: waybill logs ${space}`,
    ...(call && { waybill: call.id }),
  });
}

/** Files of an answer become files here, named by where they are; all else stays as it is. */
async function kept(app: GradioApp, output: unknown, folder: string, saved: string[]): Promise<unknown> {
  if (Array.isArray(output)) {
    const all: unknown[] = [];
    for (const one of output) all.push(await kept(app, one, folder, saved));
    return all;
  }
  if (typeof output !== "object" || output === null) return output;
  const file = output as {
    readonly path?: unknown;
    readonly orig_name?: unknown;
    readonly meta?: { readonly _type?: unknown };
  };
  if (typeof file.path !== "string" || file.meta?._type !== "gradio.FileData") return output;
  const bytes = await app.download({ path: file.path });
  // A name is the app's to choose, the folder is not.
  const name = basename(typeof file.orig_name === "string" ? file.orig_name : file.path).replace(/^\.+/, "") || "file";
  await mkdir(folder, { recursive: true });
  const path = await writeBeside(folder, name, bytes);
  saved.push(path);
  return path;
}

/** Nothing that is there is overwritten. */
async function writeBeside(folder: string, name: string, bytes: Uint8Array): Promise<string> {
  const dot = name.lastIndexOf(".");
  const [stem, end] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
  for (let n = 0; n < sameNamesMax; n++) {
    const path = join(folder, n === 0 ? name : `${stem}-${n}${end}`);
    try {
      await writeFile(path, bytes, { flag: "wx" });
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
  throw new CliFailure(exit.failed, {
    code: "file-exists",
    says: `${folder} has ${sameNamesMax} files called ${name}.`,
    next: "Name another folder with --save.",
  });
}
