/** The corpus before apps as people write them, each behind a real shim: what app and edge make of a request must be the same. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { appHost } from "../support/edge-world.ts";
import { needs } from "../support/needs.ts";
import { nodeApp, pythonApp, seenPath } from "../support/requests/apps.ts";
import { corpus, everyNth } from "../support/requests/corpus.ts";
import { judgeAll } from "../support/requests/judge.ts";
import type { RawCase } from "../support/requests/judge.ts";
import { parseSeen } from "../support/requests/recorder.ts";
import { judgedEdge } from "../support/requests/world.ts";
import type { JudgedWorld } from "../support/requests/world.ts";
import { bench } from "../support/replicas.ts";

const replicas = bench();
after(() => replicas[Symbol.asyncDispose]());
const python = await needs("python3");
/** These say all that they saw in their answers' heads. */
const bytesMax = 50_000;
/** One in three: each is two connections more, and Python's server is slow at them. */
const all = everyNth(
  Object.values(corpus(appHost))
    .flat()
    .filter(({ bytes }) => bytes.length <= bytesMax),
  3,
);

async function behindShim(files: Record<string, string>, argv: readonly string[]): Promise<JudgedWorld> {
  const replica = await replicas.start(files, { argv });
  const { socket } = await replica.untilPhase("ready");
  assert.ok(socket);
  const world: JudgedWorld = await judgedEdge(socket, {
    seen: async () => {
      const answer = await world.other(seenPath);
      const lines = answer.slice(answer.indexOf("\r\n\r\n") + 4).split("\n");
      return lines.filter((line) => line !== "").map(parseSeen);
    },
    // These cannot tell.
    bytes: () => ({ whole: [], begun: [] }),
  });
  return world;
}

describe("an app behind its shim sees the requests that the edge saw", () => {
  test("on node:http", async () => {
    await using world = await behindShim({ "app.js": nodeApp }, ["node", "app.js"]);
    // Which speaks RTSP's methods over RTSP alone.
    const cases = all.filter(({ served }) => served.every(({ method }) => method !== "DESCRIBE"));
    assert.deepEqual(await judgeAll(world, appHost, cases), {});
  });

  test("on http.server of Python, of those that it can read", python, async () => {
    await using world = await behindShim({ "app.py": pythonApp(true) }, ["/usr/bin/python3", "app.py"]);
    const cases = all.filter((one) => one.served.every(isForPython) && !one.name.endsWith("two hundred header lines"));
    assert.ok(cases.length > 500, String(cases.length));
    assert.deepEqual(await judgeAll(world, appHost, cases), {});
  });
});

describe("an app that reads no body and answers HEAD with one", () => {
  test("takes no body for a request, and gives nobody another's answer", python, async () => {
    await using world = await behindShim({ "app.py": pythonApp(false) }, ["/usr/bin/python3", "app.py"]);
    const cases = all.filter((one) => one.served.every(isForPython) && !one.name.endsWith("two hundred header lines"));
    const unread = cases.map((one): RawCase => ({ ...one, served: one.served.map((seen) => ({ ...seen, body: "" })) }));
    const faults = Object.entries(await judgeAll(world, appHost, unread)).flatMap(([name, all_]) =>
      all_.map((fault) => `${name}: ${fault}`),
    );
    // It answers what is refused midway, and breaks off what it did not read: that is its own affair.
    assert.deepEqual(
      faults.filter((fault) => /smuggled|next visitor|canary/.test(fault)),
      [],
    );
  });
});

/** It collapses slashes at a path's beginning, and answers no method with a hyphen or a long target. */
function isForPython({ method, target }: RawCase["served"][number]): boolean {
  return /^[A-Z]+$/.test(method) && !target.startsWith("//") && target.length < 4_000;
}
