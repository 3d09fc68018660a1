import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, test } from "node:test";
import type { BuildOutcome, Builder } from "../build/builder.ts";
import type { BuildFailure } from "../build/failure.ts";
import type { ToServer } from "../contract/agent.ts";
import type { Draft } from "../evidence/entry.ts";
import { durationMs } from "../stdx/time.ts";
import { BuildDesk } from "./builds.ts";

/** A desk whose builder ends builds when the test says so, or when they are withdrawn. */
class DeskWorld implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "waybill-desk-"));
  readonly said: ToServer[] = [];
  readonly entries: Draft[] = [];
  readonly warnings: string[] = [];
  readonly running = new Map<string, (outcome: BuildOutcome) => void>();
  desk: BuildDesk;
  readonly #parallel: number;

  constructor(parallel = 1) {
    this.#parallel = parallel;
    this.desk = this.#open();
  }

  /** The agent died, and another one is there. */
  async again(): Promise<void> {
    this.said.length = 0;
    this.running.clear();
    this.desk = this.#open();
    await this.desk.recover();
  }

  give(build: string, fence = 1, space = `${build}/app`): Promise<void> {
    const spec = { build, space, commit: "c", repository: "r", limitMs: durationMs(1_000) };
    this.desk.take(1, fence, spec);
    return nextTurn();
  }

  async end(build: string): Promise<void> {
    const end = this.running.get(build);
    assert.ok(end, `${build} runs`);
    end({ ok: true, release: `rel_${build}`, sdk: "static", settings: {} });
    await nextTurn();
  }

  /** `b1 build-claimed 1`: what was said, and by which fence. */
  get told(): readonly string[] {
    return this.said.flatMap((message) =>
      message.type === "build-claimed" || message.type === "build-done"
        ? [`${message.build} ${message.type} ${message.fence}`]
        : [],
    );
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }

  #open(): BuildDesk {
    const builder: Builder = {
      sdks: ["static"],
      recover: async () => [],
      releases: async () => [],
      remove: async () => [],
      owners: async () => [],
      tidy: async () => [],
      release: async () => undefined,
      run: (spec, _on, signal) =>
        new Promise((resolve) => {
          const end = (outcome: BuildOutcome): void => {
            this.running.delete(spec.build);
            resolve(outcome);
          };
          this.running.set(spec.build, end);
          signal.addEventListener("abort", () => {
            const { code, message: says } = signal.reason as BuildFailure;
            end({ ok: false, code, step: "build", says, because: [] });
          });
        }),
    };
    return new BuildDesk({
      node: "n1",
      folder: this.folder,
      builder,
      emitter: {
        name: "agent",
        epoch: 1,
        write: (draft) => (this.entries.push(draft), draft as never),
        writeAll: (drafts) => void this.entries.push(...drafts),
        pack: () => undefined,
        answer: () => Promise.reject(new Error("a desk gives no watermark")),
        sync: async () => undefined,
      },
      send: (message) => void this.said.push(message),
      log: { info: () => undefined, warn: (_facts, says) => void this.warnings.push(says) },
      parallel: this.#parallel,
    });
  }
}

describe("a desk", () => {
  test("builds those of several owners side by side, and those of one owner one after another", async () => {
    using world = new DeskWorld(3);
    await world.give("b1", 1, "alice/a");
    await world.give("b2", 1, "alice/b");
    await world.give("b3", 1, "bob/a");
    assert.deepEqual([...world.running.keys()], ["b1", "b3"]);
    await world.end("b1");
    assert.deepEqual([...world.running.keys()], ["b3", "b2"]);
  });

  test("tells again what it is told again, and builds it once", async () => {
    using world = new DeskWorld();
    await world.give("b1");
    await world.give("b1");
    await world.end("b1");
    await world.give("b1");
    assert.deepEqual(world.told, ["b1 build-claimed 1", "b1 build-claimed 1", "b1 build-done 1", "b1 build-done 1"]);
  });

  test("B4: refuses a build by an older fence than it has seen, and says so", async () => {
    using world = new DeskWorld();
    await world.give("b1", 2);
    await world.give("b1", 1);
    await world.end("b1");
    await world.give("b1", 1);
    assert.deepEqual(world.told, ["b1 build-claimed 2", "b1 build-done 2"]);
    assert.equal(world.warnings.length, 2);
  });

  test("ends what it has of a build that is given anew, and only then begins again", async () => {
    using world = new DeskWorld();
    await world.give("b1", 1);
    await world.give("b1", 2);
    await nextTurn();
    assert.deepEqual(world.told, ["b1 build-claimed 1", "b1 build-done 1", "b1 build-claimed 2"]);
    assert.deepEqual(world.desk.holds, [{ build: "b1", fence: 2 }]);
  });

  test("ends what is withdrawn by its fence, running or waiting, under the code that it is given, and nothing else", async () => {
    using world = new DeskWorld();
    await world.give("b1");
    await world.give("b2");
    world.desk.cancel("b1", 7, "build/cancelled", "of another time");
    world.desk.cancel("b2", 1, "build/superseded", "superseded by build b9");
    world.desk.cancel("b1", 1, "build/cancelled", "cancelled by alice");
    await nextTurn();
    const outcomes = world.said.flatMap((message) => (message.type === "build-done" ? [message.outcome] : []));
    assert.deepEqual(
      outcomes.map((outcome) => !outcome.ok && [outcome.code, outcome.says]),
      [
        ["build/superseded", "the build was stopped: superseded by build b9"],
        ["build/cancelled", "the build was stopped: cancelled by alice"],
      ],
    );
    assert.deepEqual(world.desk.holds, []);
  });

  test("that comes back after a crash tells of all that it had, by their fences, waiting ones too", async () => {
    using world = new DeskWorld();
    await world.give("b1", 2);
    await world.give("b2", 1);
    await world.again();
    world.desk.tellAgain();
    assert.deepEqual(world.told, ["b2 build-done 1", "b1 build-done 2"]);
    const lost = world.entries.filter(({ facts }) => facts["code"] === "build/builder-lost");
    assert.deepEqual(
      lost.map(({ work, facts }) => [work, facts["fence"]]),
      [
        ["b2", 1],
        ["b1", 2],
      ],
    );
    await world.again();
    world.desk.tellAgain();
    assert.deepEqual(world.told, []);
  });
});
