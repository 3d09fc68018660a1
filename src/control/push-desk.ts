/** What becomes of a push: main's commit is built and followed; what triggers no build says why. */
import { setTimeout as delay } from "node:timers/promises";
import type { NoBuildView } from "../contract/api.ts";
import type { GitCaller } from "../hub/git-access.ts";
import type { GitDesk, Pushed, Taken } from "../hub/git-face.ts";
import { mainRef } from "../hub/receive-rules.ts";
import type { Code } from "../evidence/codes.ts";
import type { Verdict } from "../evidence/verdict.ts";
import { builtBranch } from "./no-build.ts";
import { beginLines, endLines, linesMax, logText } from "./push-lines.ts";
import type { Server } from "./server.ts";

const nothing = "0".repeat(40);
/** References of one push that are told, and recorded, one by one. */
const toldMax = 20;
/** Evidence is shipped four times a second; longer than this nobody waits for a verdict. */
const verdictWithinMs = 3_000;
const lookAgainMs = 150;

export class PushDesk implements GitDesk {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  callerOf(authorization: string | undefined): Promise<{ caller: GitCaller | null } | { refused: Code }> {
    return this.#server.callerOf(authorization);
  }

  exists(space: string): boolean {
    return this.#server.spaces.get(space) !== undefined;
  }

  async ensure(owner: string, name: string): Promise<{ ok: true } | { ok: false; says: string }> {
    const made = await this.#server.spaces.ensure(owner, name);
    if (made.ok) return { ok: true };
    if (made.refusal === "no-such-account") return { ok: false, says: `There is no account ${owner}.` };
    return { ok: false, says: `${owner}/${name} cannot be a Space: ${made.refusal}.` };
  }

  inTurn<T>(space: string, work: () => Promise<T>): Promise<T> {
    return this.#server.commits.inTurn(space, work);
  }

  /** In its turn: why main cannot have another commit now. */
  async refuse({ space, account, updates }: Pushed): Promise<readonly string[]> {
    if (!updates.some(({ ref }) => ref === mainRef)) return [];
    const refused = await this.#server.commits.noRoom(space, account);
    return refused ? [refused.says, ...(refused.waybill ? [`explain: ${refused.waybill}`] : [])] : [];
  }

  async pushed({ space, account, updates }: Pushed): Promise<Taken> {
    const main = updates.find(({ ref }) => ref === mainRef);
    const others = updates.filter((update) => update !== main);
    const head = main?.to ?? (await this.#server.commits.head(space)) ?? nothing;
    const lines: string[] = [];
    for (const { ref, to } of others.slice(0, toldMax))
      lines.push(await this.#other({ space, account, head, ref, to }));
    if (others.length > toldMax) lines.push(`and ${others.length - toldMax} more, which trigger no build either`);
    if (!main) return { lines, build: null };
    const started = await this.#server.commits.landed({
      space,
      branch: builtBranch,
      commit: main.to,
      head: main.to,
      changed: true,
      account,
    });
    return started.noBuild
      ? { lines: [...lines, noBuildLine("main", started.noBuild)], build: null }
      : { lines, build: started.build };
  }

  /** A branch that is not built, or a tag. */
  async #other(update: { space: string; account: string; head: string; ref: string; to: string }): Promise<string> {
    const { space, account, head, ref, to } = update;
    const [, kind, ...name] = ref.split("/");
    const what = `${kind === "tags" ? "tag" : "branch"} ${name.join("/")}`;
    if (to === nothing) return `${what} is deleted`;
    const { noBuild } = await this.#server.commits.landed({
      space,
      branch: what,
      commit: to,
      head,
      changed: true,
      account,
    });
    return noBuildLine(`${what} is taken at ${to.slice(0, 7)}`, noBuild);
  }

  async *watch(id: string, { origin, signal }: { origin: string; signal: AbortSignal }): AsyncGenerator<string> {
    const { builds, catalog, spaces } = this.#server;
    const page = `${origin}/w/${id}`;
    const row = await catalog.builds.get(id);
    if (!row) return;
    yield* beginLines(row, page);
    let shown = 0;
    for await (const line of builds.follow(id, 1, signal)) {
      shown += 1;
      if (shown <= linesMax) yield logText(line);
      else if (shown === linesMax + 1) yield `… its log has more lines than are shown here: ${page}`;
    }
    const ended = (await catalog.builds.get(id)) ?? row;
    const view = builds.view(ended);
    const space = await spaces.view(view.space);
    const verdict = view.outcome !== "ok" && view.outcome !== null ? await this.#verdict(id) : null;
    yield* endLines(view, verdict, {
      page,
      addresses: space?.addresses ?? [],
      runs: space?.state === "running",
    });
  }

  /** The builder's own word is on its way from its spool when the build has ended. */
  async #verdict(id: string): Promise<Verdict | null> {
    const until = this.#server.clock.monotonic() + verdictWithinMs;
    for (;;) {
      const verdict = (await this.#server.explain(id))?.explanation.verdict ?? null;
      if (verdict !== null || this.#server.clock.monotonic() >= until) return verdict;
      await delay(lookAgainMs);
    }
  }

  onFailure(what: string, error: unknown): void {
    this.#server.onFailure(what, error);
  }
}

function noBuildLine(what: string, none: NoBuildView | null): string {
  return none ? `${what}: no build. ${none.says} waybill explain ${none.id}` : what;
}
