/**
 * What the edge says first on each connection to a replica's `in.sock`. One line, then either the bytes of the app's own
 * connection, or nothing (a question, answered with one line of JSON).
 *
 *   waybill/1 open edge/3/17\n        connection 17 of epoch 3 of emitter "edge"; bytes follow, both ways
 *   waybill/1 ask edge/3/17\n         what became of that connection? → ConnectionAnswer
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
      /** Bytes that the app sent back so far. */
      readonly returnedBytes: number;
      /** The shim's entry that holds this answer. */
      readonly entry: string | null;
    };

export type Preamble = { readonly kind: "open" | "ask" } & ConnectionName;

/** A preamble is at most this long, newline included; a connection that sends more before a newline is dropped. */
export const preambleMaxBytes = 200;

export function encodePreamble({ kind, emitter, epoch, connection }: Preamble): string {
  return `waybill/1 ${kind} ${emitter}/${epoch}/${connection}\n`;
}

/** Parses a line without its newline; undefined where it is not a preamble. */
export function parsePreamble(line: string): Preamble | undefined {
  const match = /^waybill\/1 (open|ask) ([a-z0-9.-]{1,64})\/(\d{1,15})\/(\d{1,15})$/.exec(line);
  if (!match) return undefined;
  const [, kind, emitter, epoch, connection] = match;
  return { kind: kind as Preamble["kind"], emitter: emitter as string, epoch: Number(epoch), connection: Number(connection) };
}
