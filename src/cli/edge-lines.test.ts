import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LogLine } from "../contract/agent.ts";
import { withEdge } from "./edge-lines.ts";

const at = (second: number): string => new Date(Date.UTC(2026, 10, 30, 12, 0, second)).toISOString();
const own = (n: number, second: number): LogLine => ({
  n,
  at: at(second),
  source: "app",
  stream: "out",
  text: `own ${n}`,
});
const edge = (second: number): LogLine => ({
  n: 0,
  at: at(second),
  source: "edge",
  stream: "note",
  text: `edge ${second}`,
});

async function* each(...lines: readonly LogLine[]): AsyncGenerator<LogLine> {
  yield* lines;
}

/** Comes when it is told to, and ends so. */
class Told {
  readonly #waiting: ((line: LogLine | undefined) => void)[] = [];
  readonly #lines: (LogLine | undefined)[] = [];

  tell(line: LogLine | undefined): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#lines.push(line);
    else waiting(line);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<LogLine> {
    for (;;) {
      const line =
        this.#lines.length > 0
          ? this.#lines.shift()
          : await new Promise<LogLine | undefined>((come) => this.#waiting.push(come));
      if (line === undefined) return;
      yield line;
    }
  }
}

const textsOf = (lines: readonly LogLine[]): readonly string[] => lines.map(({ text }) => text);

describe("a log with the edge's lines", () => {
  test("has each between the app's lines, by the time when its request ended", async () => {
    const lines = await Array.fromAsync(withEdge(each(own(1, 1), own(2, 3), own(3, 4)), [edge(0), edge(2), edge(9)]));
    assert.deepEqual(textsOf(lines), ["edge 0", "own 1", "edge 2", "own 2", "own 3", "edge 9"]);
  });

  test("keeps the app's order, also where its times go back", async () => {
    const lines = await Array.fromAsync(withEdge(each(own(1, 5), own(2, 1), own(3, 6)), [edge(3)]));
    assert.deepEqual(textsOf(lines), ["edge 3", "own 1", "own 2", "own 3"]);
  });

  test("is the edge's alone where the app says nothing", async () => {
    assert.deepEqual(textsOf(await Array.fromAsync(withEdge(each(), [edge(1)]))), ["edge 1"]);
  });

  test("that is followed shows what the edge tells once the app says nothing later, and ends with the app's", async () => {
    const [app, further] = [new Told(), new Told()];
    const lines = withEdge(app, [], further);
    const next = async (): Promise<string | undefined> => (await lines.next()).value?.text;
    further.tell(edge(2));
    app.tell(own(1, 1));
    assert.equal(await next(), "own 1");
    assert.equal(await next(), "edge 2");
    further.tell(edge(3));
    app.tell(own(2, 4));
    assert.deepEqual(new Set([await next(), await next()]), new Set(["edge 3", "own 2"]));
    app.tell(undefined);
    assert.equal(await next(), undefined);
  });
});
