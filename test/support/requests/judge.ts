/**
 * Sends a request's bytes, with a canary behind them, and judges what came of it: what the visitor was answered, what the app saw, what
 * the next visitor got. It finds fault where an answer belongs to another request, where the app saw what nobody asked for, where bytes
 * at the app can be read in two ways, and where a refusal does not say so or leaves the connection open.
 */
import { connect } from "node:net";
import { disagreements } from "./reading.ts";
import type { Seen } from "./reading.ts";
import { parseSeen, seenHeader } from "./recorder.ts";
import type { RecordingApp } from "./recorder.ts";

export interface RawCase {
  readonly name: string;
  /** Latin1. */
  readonly bytes: string;
  /** The requests of it that the app is to see, and whose answers are to come back, in order. */
  readonly served: readonly Seen[];
  /** What the visitor gets behind their answers. `closed`: nothing but the connection's end. */
  readonly last: "canary" | "refused" | "closed";
  /** Of the refusal. */
  readonly status: number;
  /** Whether the visitor says that no more comes. */
  readonly ends?: boolean;
}

export interface Judged {
  /** Where a refusal of ours was kept: what the case caused to be counted or recorded as malformed. */
  malformed(): number;
  readonly app: RecordingApp;
  /** Another visitor asks for this path, and gets the answer's head and body. */
  other(path: string): Promise<string>;
  /** Sends these pieces on one connection, says where it is told to that no more comes, and gives back all that came until its end. */
  send(pieces: readonly string[], ends: boolean): Promise<string>;
}

/** How the bytes of a case are cut into writes. */
export type Cut = "whole" | "halves" | "bytes";

let asked = 0;

/** Sentences about what is wrong; none where all is as it should be. */
export async function judge(world: Judged, host: string, one: RawCase, cut: Cut = "whole"): Promise<string[]> {
  const n = ++asked;
  const canary = `/canary-${n}`;
  const recorded = world.malformed();
  const sent = `${one.bytes}${one.ends === true ? "" : canaryOf(canary, host)}`;
  const answers = readAnswers(await world.send(pieces(sent, cut), one.ends === true), one.served);
  const other = await world.other(`/other-${n}`);
  const faults = [
    ...judgeAnswers(one, answers, canary),
    ...judgeSeen(one, await world.app.seen(), [canary, `/other-${n}`]),
    ...judgeBytes(world.app),
  ];
  if (parseSeen(fieldOf(other, seenHeader) ?? "").target !== `/other-${n}`)
    faults.push(`the next visitor got ${JSON.stringify(other.slice(0, 200))}`);
  if (one.last === "refused" && world.malformed() === recorded) faults.push("its refusal was not kept anywhere");
  return faults;
}

/** The faults of all cases that have any, by name. */
export async function judgeAll(
  world: Judged,
  host: string,
  cases: readonly RawCase[],
  cut: Cut = "whole",
): Promise<Record<string, string[]>> {
  const wrong: Record<string, string[]> = {};
  for (const one of cases) {
    const faults = await judge(world, host, one, cut);
    if (faults.length > 0) wrong[one.name] = faults;
  }
  return wrong;
}

function canaryOf(target: string, host: string): string {
  return `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
}

function pieces(bytes: string, cut: Cut): string[] {
  if (cut === "whole") return [bytes];
  if (cut === "bytes") return bytes.split("");
  const middle = Math.floor(bytes.length / 2);
  return [bytes.slice(0, middle), bytes.slice(middle)];
}

// ---- what the visitor was answered

interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** Strictly, by length: that is how both the apps and the edge frame their answers here. What cannot be read stands in `rest`. */
function readAnswers(text: string, asked_: readonly Seen[]): { answers: Answer[]; rest: string } {
  const answers: Answer[] = [];
  let at = 0;
  for (;;) {
    const end = text.indexOf("\r\n\r\n", at);
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(text.slice(at, at + 13));
    if (end < 0 || status === null) return { answers, rest: text.slice(at) };
    const head = text.slice(at, end + 2);
    at = end + 4;
    if (status[1] === "100") continue;
    const length = asked_[answers.length]?.method === "HEAD" ? 0 : Number(fieldOf(head, "content-length"));
    answers.push({ status: Number(status[1]), head, body: text.slice(at, at + length) });
    at += length;
  }
}

function judgeAnswers(one: RawCase, { answers, rest }: { answers: Answer[]; rest: string }, canary: string): string[] {
  const faults = rest === "" ? [] : [`bytes of no answer came: ${JSON.stringify(rest.slice(0, 200))}`];
  for (const [i, asked_] of one.served.entries()) {
    const got = answers[i];
    const says = parseSeen(fieldOf(got?.head ?? "", seenHeader) ?? "");
    if (JSON.stringify(says) !== JSON.stringify(asked_))
      faults.push(`answer ${i + 1} is ${told(got)} for ${JSON.stringify(says)}, not for ${JSON.stringify(asked_)}`);
  }
  const last = answers[one.served.length];
  if (answers.length > one.served.length + 1) faults.push(`${answers.length} answers came`);
  if (one.last === "closed" && last !== undefined) faults.push(`another answer came: ${told(last)}`);
  if (one.last === "canary" && parseSeen(fieldOf(last?.head ?? "", seenHeader) ?? "").target !== canary)
    faults.push(`the canary got ${told(last)}`);
  if (one.last === "refused") faults.push(...judgeRefusal(one, last));
  const ids = answers.flatMap(({ head }) => fieldOf(head, "x-waybill-id") ?? []);
  if (ids.length !== answers.length) faults.push("an answer bears no id");
  return faults;
}

function judgeRefusal(one: RawCase, refusal: Answer | undefined): string[] {
  if (refusal === undefined) return ["nothing says that it is refused"];
  const faults: string[] = [];
  if (refusal.status !== one.status) faults.push(`refused with ${told(refusal)}, not ${one.status}`);
  if (fieldOf(refusal.head, "connection") !== "close") faults.push("a refusal leaves the connection open");
  if (!(fieldOf(refusal.head, "proxy-status") ?? "").includes("error=http_request_error"))
    faults.push(`the refusal's Proxy-Status is ${fieldOf(refusal.head, "proxy-status")}`);
  if (!/"code": ?"malformed"/.test(refusal.body)) faults.push(`the refusal says ${refusal.body.slice(0, 200)}`);
  return faults;
}

function told(answer: Answer | undefined): string {
  if (answer === undefined) return "no answer";
  return `${answer.status} ${/"detail":"[^"]*"/.exec(answer.body)?.[0] ?? answer.body.slice(0, 80)}`;
}

/** The value of the only header of this name. */
export function fieldOf(head: string, name: string): string | undefined {
  const values = head
    .split("\r\n")
    .filter((line) => line.toLowerCase().startsWith(`${name}:`))
    .map((line) => line.slice(name.length + 1).trim());
  return values.length === 1 ? values[0] : undefined;
}

// ---- what the app saw

function judgeSeen(one: RawCase, seen: readonly Seen[], ours: readonly string[]): string[] {
  const theirs = seen.filter(({ target }) => !ours.includes(target));
  if (JSON.stringify(theirs) === JSON.stringify(one.served)) return [];
  return [`the app saw ${JSON.stringify(theirs)}, not ${JSON.stringify(one.served)}`];
}

/** Set by the edge on every request, once each. */
const once = ["host", "x-ip-token", "x-waybill-id", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "via"];
const never = /^(?:forwarded|te|trailer|keep-alive|proxy-.*|expect|x-real-ip|.*_.*)$/;

function judgeBytes(app: RecordingApp): string[] {
  const { whole, begun } = app.bytes();
  return [
    ...whole.flatMap((bytes) => [...disagreements(bytes).slice(0, 1), ...judgeHead(bytes)]),
    ...begun.flatMap((bytes) => (bytes.includes("\r\n\r\n") ? judgeHead(bytes) : [])),
  ];
}

function judgeHead(bytes: string): string[] {
  const [first = "", ...lines] = bytes.slice(0, bytes.indexOf("\r\n\r\n")).split("\r\n");
  const names = lines.map((line) => line.slice(0, Math.max(0, line.indexOf(":"))).toLowerCase());
  const faults: string[] = [];
  if (!/^[A-Z-]+ [\x21-\x22\x24-\x7e]+ HTTP\/1\.1$/.test(first)) faults.push(`the app got the line ${first}`);
  for (const name of once)
    if (names.filter((other) => other === name).length !== 1) faults.push(`the app got not exactly one ${name}`);
  const framing = names.filter((name) => name === "content-length" || name === "transfer-encoding");
  if (framing.length > 1) faults.push(`the app got ${framing.join(" and ")}`);
  for (const [i, name] of names.entries()) {
    if (never.test(name)) faults.push(`the app got ${name}`);
    // oxlint-disable-next-line no-control-regex -- RFC 9110 §5.5
    if (!/^[!#$%&'*+.^`|~0-9a-z-]+$/.test(name) || /[\0-\x08\x0a-\x1f\x7f]/.test(lines[i] as string))
      faults.push(`the app got the line ${JSON.stringify(lines[i])}`);
  }
  return faults;
}

// ---- sending

/** All that comes back on a new connection until its end. A peer that ends nothing fails after a bound that only that reaches. */
export async function sendRaw(
  port: number,
  bytes: readonly string[],
  how: { readonly ends?: boolean; readonly withinMs?: number } = {},
): Promise<string> {
  const { ends = false, withinMs = 60_000 } = how;
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  let text = "";
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    socket.destroy();
  }, withinMs);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("data", (part: Buffer) => (text += part.toString("latin1"))).on("error", () => socket.destroy());
  // One after the other: what is written at once arrives at once.
  for (const piece of bytes) {
    if (!socket.writable) break;
    const written = new Promise((resolve) => socket.write(piece, "latin1", resolve));
    if (bytes.length > 1) await Promise.race([written, closed]);
  }
  if (ends) socket.end();
  await closed;
  clearTimeout(timer);
  if (late) throw new Error(`no end after ${withinMs} ms: ${JSON.stringify(text.slice(0, 300))}`);
  return text;
}
