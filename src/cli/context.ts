/** What one command works with: where its answer goes, how it is drawn, and the client, loaded when it is first used. */
import type { Command } from "commander";
import type { WaybillClient } from "../client/api.ts";
import type { Paper } from "./draw/paper.ts";
import { exit } from "./exit.ts";
import { CliFailure } from "./failures.ts";
import { readSignIn } from "./sign-in-file.ts";
import type { CliWorld, Output } from "./world.ts";

/** Options that every command takes. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly url?: string;
  /** False with `--no-color`. */
  readonly color?: boolean;
}

export interface Context {
  readonly world: CliWorld;
  readonly json: boolean;
  readonly quiet: boolean;
  /** How stdout is drawn. */
  readonly paper: Paper;
  /** The answer: the one document with `--json`, else the text. */
  answer(document: unknown, text: string): void;
  /** A line of a stream: JSON Lines with `--json`. */
  stream(document: { readonly type: string }, text: string): void;
  /** A person's reading beside the answer, on stderr; silent with `-q`, and with `--json`. */
  note(text: string): void;
  /** Which server, and by which token. */
  where(): Promise<Where>;
  client(): Promise<WaybillClient>;
}

const defaultUrl = "http://127.0.0.1:7070";
/** Where a terminal does not say its width: what an unwrapped line in a log may hold. */
const widthOtherwise = 100;

export function contextOf(world: CliWorld, command: Command): Context {
  const options = command.optsWithGlobals<GlobalOptions>();
  const json = options.json === true;
  let found: Promise<Where> | undefined;
  const where = (): Promise<Where> => (found ??= whereIs(world, options.url));
  return {
    world,
    json,
    quiet: options.quiet === true,
    paper: paperOf(world, world.stdout, options),
    answer: (document, text) => void world.stdout.write(json ? `${JSON.stringify(document)}\n` : text),
    stream: (document, text) => void world.stdout.write(json ? `${JSON.stringify(document)}\n` : text),
    note: (text) => void (json || options.quiet || world.stderr.write(text)),
    where,
    client: async () => {
      const [{ WaybillClient }, at] = await Promise.all([import("../client/api.ts"), where()]);
      return new WaybillClient(at);
    },
  };
}

export function paperOf(world: CliWorld, output: Output, options: GlobalOptions): Paper {
  const { env } = world;
  const plain = options.color === false || options.json === true || Boolean(env["NO_COLOR"]) || env["TERM"] === "dumb";
  return { width: output.columns ?? widthOtherwise, zone: world.zone, color: output.isTTY === true && !plain };
}

export interface Where {
  readonly url: string;
  readonly token: string | null;
  /** Where that token is from; null where there is none. */
  readonly from: "environment" | "file" | null;
}

/** Flag, environment, saved sign-in, default. A saved token goes only to the address that it was saved for. */
async function whereIs(world: CliWorld, flag: string | undefined): Promise<Where> {
  const saved = await readSignIn(world.signInFile);
  const url = serverUrl(flag ?? world.env["WAYBILL_URL"] ?? saved?.url ?? defaultUrl);
  const named = world.env["WAYBILL_TOKEN"];
  if (named) return { url, token: named, from: "environment" };
  const isSaved = saved !== undefined && new URL(saved.url).origin === new URL(url).origin;
  return { url, token: isSaved ? saved.token : null, from: isSaved ? "file" : null };
}

export function serverUrl(text: string): string {
  if (URL.canParse(text) && /^https?:/.test(text)) return text;
  throw new CliFailure(exit.usage, {
    code: "address-invalid",
    says: `"${text}" is not an address of a server.`,
    next: "Write it with http:// or https://, in --url or WAYBILL_URL.",
  });
}
