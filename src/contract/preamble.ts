/**
 * What the edge says first on each connection to a replica's `in.sock`. One line, then either the bytes of the app's own
 * connection, or nothing (a question, answered with one line of JSON).
 *
 *   waybill/1 open edge/3/17\n        connection 17 of epoch 3 of emitter "edge"; bytes follow, both ways
 *   waybill/1 ask edge/3/17 q_0123…\n what became of that connection? → ConnectionAnswer. The work's id is optional: with it
 *                                     a final answer is also an `app.take` entry of that work, synced in the shim's spool.
 *
 * The channel is the connection and its number a byte offset: the shim counts the bytes that the app's socket accepted.
 */

export interface ConnectionName {
  readonly emitter: string;
  readonly epoch: number;
  readonly connection: number;
}

/** The shim's answer. `unknown` means that the connection never arrived, and would be refused if it still did. */
export type ConnectionAnswer =
  | { readonly state: "unknown" }
  | {
      readonly state: "open" | "closed";
      /** Whether the app's port accepted the connection. */
      readonly connected: boolean;
      /** Bytes that the app's socket accepted. Final, and synced in the shim's spool, when `closed`. */
      readonly acceptedBytes: number;
      /** Bytes of a write that failed: any part of them may have been accepted too. Absent: none, the count is exact. */
      readonly uncertainBytes?: number;
      /** Why the connection to the app was not opened, or broke: the system's name of it, `ETIMEDOUT` where nobody accepted it in time. */
      readonly errno?: string;
      /** The platform had begun to end the app when its side closed. */
      readonly stopping?: true;
      /** Bytes that the app sent back so far. */
      readonly returnedBytes: number;
      /** The shim's entry that holds this answer. */
      readonly entry: string | null;
    };

export type Preamble = {
  readonly kind: "open" | "ask";
  /** Only with `ask`: the work that is asked about. */ readonly work?: string;
} & ConnectionName;

/** A preamble is at most this long, newline included; a connection that sends more before a newline is dropped. */
export const preambleMaxBytes = 200;

export function encodePreamble({ kind, emitter, epoch, connection, work }: Preamble): string {
  const about = kind === "ask" && work !== undefined ? ` ${work}` : "";
  return `waybill/1 ${kind} ${emitter}/${epoch}/${connection}${about}\n`;
}

/** Parses a line without its newline; undefined where it is not a preamble. */
export function parsePreamble(line: string): Preamble | undefined {
  const match =
    /^waybill\/1 (open|ask) ([a-z0-9][a-z0-9._-]{0,63})\/(\d{1,15})\/(\d{1,15})(?: ([a-z]{1,4}_[0-9a-z]{1,32}))?$/.exec(
      line,
    );
  if (!match) return undefined;
  const [, kind, emitter, epoch, connection, work] = match;
  if (kind === "open" && work !== undefined) return undefined;
  const name = { emitter: emitter as string, epoch: Number(epoch), connection: Number(connection) };
  return { kind: kind as Preamble["kind"], ...name, ...(work === undefined ? {} : { work }) };
}
