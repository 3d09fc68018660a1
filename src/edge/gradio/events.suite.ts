/** What tests of Gradio's events have in common: a join that its app has answered, and an emitter that keeps what it is given. */
import type { Draft, Emitter, Entry } from "../../evidence/entry.ts";
import type { Story } from "../story.ts";

type Pack = Parameters<Emitter["pack"]>[0];

export interface Kept {
  readonly emitter: Emitter;
  readonly drafts: Draft[];
  readonly packs: Pack[];
}

export function keptRecords(): Kept {
  const [drafts, packs]: [Draft[], Pack[]] = [[], []];
  const emitter: Pick<Emitter, "write" | "writeAll" | "pack"> = {
    write: (draft) => {
      drafts.push(draft);
      return draft as Entry;
    },
    writeAll: (all) => void drafts.push(...all),
    pack: (pack) => void packs.push(pack),
  };
  return { emitter: emitter as Emitter, drafts, packs };
}

/** Its times are those of the milliseconds before `now`. */
export function joinStory(work: string, now: number): Story {
  return {
    work,
    method: "POST",
    path: "/gradio_api/queue/join",
    query: undefined,
    host: "alice-demo.localhost",
    protocol: "HTTP/1.1",
    trace: undefined,
    startedAt: 1_700_000_000_000,
    acceptedAt: now - 5,
    visitor: { account: "alice", tier: "free", billedBy: "token", user: "alice" },
    resolvedAt: now - 4,
    space: "alice/demo",
    replica: "p_1",
    routedAt: now - 4,
    connectedAt: now - 3,
    hand: { channel: "edge/1→p_1", number: 1, connection: "edge/1/1", from: 0, to: 100 },
    sentAt: now - 2,
    answeredAt: now - 1,
    status: 200,
    received: 20,
    bytes: 50,
    retried: 0,
    opened: false,
  };
}
