/** Tells what happens to builds: lines of their logs, entries of the record, rows of the catalog. */
import type { BuildRow, ReleaseRow } from "../catalog/builds.ts";
import { newRow } from "../catalog/builds.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { BuildLimits, BuildsState } from "../core/builds/model.ts";
import { codeRow, isCode } from "../evidence/codes.ts";
import type { Emitter } from "../evidence/entry.ts";
import type { Instant } from "../stdx/time.ts";
import type { BuildLog } from "./build-log.ts";
import type { BuildLogs } from "./build-logs.ts";
import type { Happened } from "./build-machine.ts";
import { entriesOf, lineOf, transitionOf, waitingViews } from "./build-story.ts";
import type { LiveBuilds } from "./live-builds.ts";

export interface TellingPorts {
  readonly catalog: Catalog;
  readonly emitter: Emitter;
  readonly limits: BuildLimits;
  readonly logs: BuildLogs;
  readonly live: LiveBuilds;
  onFailure(what: string, error: unknown): void;
}

export class BuildTelling {
  readonly #ports: TellingPorts;
  readonly #logs: BuildLogs;
  readonly #live: LiveBuilds;

  constructor(ports: TellingPorts) {
    this.#ports = ports;
    this.#logs = ports.logs;
    this.#live = ports.live;
  }

  /** Says it in the logs and the record, and stores it: in this order, so that no build ends without a last line. */
  async store(happened: readonly Happened[], now: Instant, release: ReleaseRow | undefined): Promise<void> {
    const { catalog, emitter, onFailure } = this.#ports;
    const { limits } = this.#ports;
    const transitions = happened.flatMap((one) => transitionOf(one, now, limits) ?? []);
    for (const one of happened) {
      for (const entry of entriesOf(one, now, limits)) emitter.write(entry);
      this.#tell(one, now);
    }
    const ended = happened.flatMap(({ event }) => (event.type === "ended" ? event : []));
    if (ended.length > 0) await emitter.sync();
    for (const { build, code, says: how } of ended) {
      const says = code === null ? how : `${code}: ${nextStep(code)}`;
      // A log that the disk refused must not keep the build open: its outcome is in the catalog and in the record.
      try {
        this.#logs.end(build, says);
      } catch (error) {
        onFailure(`the log of build ${build}`, error);
      }
    }
    const counted = transitions.map((one) => ({
      ...one,
      change: { ...one.change, ...this.#live.countsOf(one.build) },
    }));
    await catalog.builds.record(counted, release);
    for (const { build, created, change } of counted) {
      if (created) this.#live.add({ ...newRow(created), ...change });
      else this.#live.change(build, change);
    }
  }

  /** A line for each build that waits and whose place or reasons changed. */
  places(state: BuildsState, now: Instant): void {
    for (const [id, { position, of, reasons, says }] of waitingViews(state, now, this.#ports.limits)) {
      const live = this.#live.get(id);
      const place = JSON.stringify([position, of, reasons.map(({ kind }) => kind)]);
      if (!live || live.toldPlace === place) continue;
      // Its first line has said where it stands.
      if (live.toldPlace !== "") this.#logs.get(id)?.note(`now ${says}`);
      live.toldPlace = place;
    }
  }

  /** A build of version 0.1, which kept nothing by which it could go on. */
  async abandon(row: BuildRow, log: BuildLog, now: Instant): Promise<void> {
    const { catalog, emitter } = this.#ports;
    const code = "build/builder-lost";
    const says = "the platform stopped in the middle of this build, and was started again in a newer version";
    log.note(`failed: ${says}`);
    emitter.write({ work: row.id, hop: "build.claim", mark: "failed", facts: { code, says } });
    await emitter.sync();
    this.#logs.end(row.id, `${code}: ${nextStep(code)}`);
    const { count } = await this.#logs.of(row.id);
    await catalog.builds.update(row.id, { stage: "failed", code, says, endedAt: now, logLines: count });
  }

  /** The lines of an event: in the build's own log, and where one takes another's place in both. */
  #tell({ event, after, before }: Happened, now: Instant): void {
    if (!("build" in event)) return;
    const line = lineOf(event);
    if (line !== undefined) this.#logs.get(event.build)?.note(line);
    if (event.type === "queued") {
      const place = waitingViews(after, now, this.#ports.limits).get(event.build);
      this.#logs.get(event.build)?.note(`queued ${place?.says ?? event.says}`);
      if (event.terms.retryOf !== null)
        this.#logs.get(event.build)?.note(`another try of build ${event.terms.retryOf}`);
    }
    if (event.type === "ended" && event.link !== null) {
      const was = before.builds.get(event.build)?.stage ?? event.from;
      this.#logs.get(event.link)?.note(`takes the place of build ${event.build}, which was ${was}`);
    }
  }
}

function nextStep(code: string): string {
  return isCode(code) ? codeRow(code).next.replace(/\.$/, "") : "look at the build's record";
}
