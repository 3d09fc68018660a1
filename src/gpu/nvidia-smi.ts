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

/** Asks for these fields of every card; `optional` ones are left out where the driver is too old to know them. Never rejects. */
export function askCards(
  command: string,
  fields: { readonly needed: readonly string[]; readonly optional: readonly string[] },
  withinMs = answerWithinMs,
): Asking {
  const all = [...fields.needed, ...fields.optional];
  const first = ask(command, all, withinMs);
  const isOld = first.answer.then((answer) => !answer.ok && /not a valid field/.test(answer.says));
  const second = isOld.then((old) => (old ? ask(command, fields.needed, withinMs) : first));
  return {
    answer: second.then(({ answer }) => answer),
    gone: Promise.all([first.gone, second.then(({ gone }) => gone)]).then(() => undefined),
  };
}

/** Domain, bus, device and function in one form: the domain has four digits in messages and eight in lists. */
export function busOf(text: string): string | undefined {
  const [, domain, device] = /([0-9a-f]+):([0-9a-f]{2}:[0-9a-f]{2}\.\d)/i.exec(text) ?? [];
  return device && `${Number.parseInt(domain as string, 16)}:${device.toLowerCase()}`;
}

function ask(command: string, asked: readonly string[], withinMs: number): Asking {
  const args = [`--query-gpu=${asked.join(",")}`, "--format=csv,noheader"];
  const stop = new AbortController();
  const ended = new Promise<SmiAnswer>((resolve) => {
    const options = { timeout: withinMs, killSignal: "SIGKILL", maxBuffer: outputMaxBytes, encoding: "utf8" } as const;
    execFile(command, args, options, (error, stdout, stderr) => {
      stop.abort();
      if (error === null) return resolve({ ok: true, lines: linesOf(stdout), asked });
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
