/** Asks `nvidia-smi`: bounded, and never waiting for a process that the kernel holds on to, as it does when a driver hangs. */
import { execFile } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";

/** It takes seconds when the driver has to wake its cards. */
const answerWithinMs = 10_000;
const outputMaxBytes = 1 << 20;
const saysMaxLength = 200;

export type SmiAnswer =
  /** One line a card; its fields in the order in which they were asked. */
  | { readonly ok: true; readonly lines: readonly string[]; readonly asked: readonly string[] }
  | { readonly ok: false; readonly absent: boolean; readonly says: string };

export interface Asking {
  readonly answer: Promise<SmiAnswer>;
  /** Resolves when its process is gone, which may be long after the answer. */
  readonly gone: Promise<void>;
}

/** Asks for these fields of every card; an `optional` one that the driver is too old to know is left out. Never rejects. */
export function askCards(
  command: string,
  fields: { readonly needed: readonly string[]; readonly optional: readonly string[] },
  withinMs = answerWithinMs,
): Asking {
  const { needed, optional } = fields;
  const asking = ask(command, csv([...needed, ...optional]), withinMs);
  const next = asking.answer.then((answer): Asking | undefined => {
    const strange = answer.ok ? undefined : /"([\w.]+)" is not a valid field/.exec(answer.says)?.[1];
    const known = optional.filter((field) => field !== strange);
    // Each turn has one field less, so this ends.
    return known.length < optional.length ? askCards(command, { needed, optional: known }, withinMs) : undefined;
  });
  const asked = [...needed, ...optional];
  return {
    answer: next.then(async (further) => further?.answer ?? withAsked(await asking.answer, asked)),
    gone: Promise.all([asking.gone, next.then((further) => further?.gone)]).then(() => undefined),
  };
}

/** The plain list of cards, with the instances that each is divided into (MIG). Never rejects. */
export function listCards(command: string, withinMs = answerWithinMs): Promise<SmiAnswer> {
  return ask(command, ["-L"], withinMs).answer;
}

/** What a field of memory says, `518 MiB`; undefined where it says nothing of that form. */
export function memoryIn(text: string): number | undefined {
  const mib = /^(\d+) MiB$/.exec(text)?.[1];
  return mib === undefined ? undefined : Number(mib);
}

/** The processes that compute on cards, one a line: pid, the card's uuid, the memory that it has there, its program. Never rejects. */
export function askProcesses(command: string, withinMs = answerWithinMs): Asking {
  const fields = ["pid", "gpu_uuid", "used_memory", "process_name"];
  return ask(command, [`--query-compute-apps=${fields.join(",")}`, "--format=csv,noheader"], withinMs);
}

function withAsked(answer: SmiAnswer, asked: readonly string[]): SmiAnswer {
  return answer.ok ? { ...answer, asked } : answer;
}

function csv(fields: readonly string[]): readonly string[] {
  return [`--query-gpu=${fields.join(",")}`, "--format=csv,noheader"];
}

/** Domain, bus, device and function in one form: the domain has four digits in messages and eight in lists. */
export function busOf(text: string): string | undefined {
  const [, domain, device] = /([0-9a-f]+):([0-9a-f]{2}:[0-9a-f]{2}\.\d)/i.exec(text) ?? [];
  return device && `${Number.parseInt(domain as string, 16)}:${device.toLowerCase()}`;
}

function ask(command: string, args: readonly string[], withinMs: number): Asking {
  const stop = new AbortController();
  const ended = new Promise<SmiAnswer>((resolve) => {
    const options = { timeout: withinMs, killSignal: "SIGKILL", maxBuffer: outputMaxBytes, encoding: "utf8" } as const;
    execFile(command, args, options, (error, stdout, stderr) => {
      stop.abort();
      if (error === null) return resolve({ ok: true, lines: linesOf(stdout), asked: [] });
      const { code, killed, message } = error as NodeJS.ErrnoException & { readonly killed?: boolean };
      if (code === "ENOENT") return resolve({ ok: false, absent: true, says: `${command} is not installed` });
      // What is wrong is said on standard output.
      const said = linesOf(`${stdout}\n${stderr}`).join(" ").slice(0, saysMaxLength);
      resolve({ ok: false, absent: false, says: killed ? late(command, withinMs) : said || message });
    });
  });
  const tooLate = delay(withinMs, undefined, { signal: stop.signal, ref: false }).then(
    (): SmiAnswer => ({ ok: false, absent: false, says: late(command, withinMs) }),
    () => ended,
  );
  return { answer: Promise.race([ended, tooLate]), gone: ended.then(() => undefined) };
}

function late(command: string, withinMs: number): string {
  return `${command} did not answer within ${withinMs / 1000} s`;
}

function linesOf(text: string): string[] {
  return text.split("\n").flatMap((line) => (line.trim() === "" ? [] : [line.trim()]));
}
