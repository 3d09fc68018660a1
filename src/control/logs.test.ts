import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import type { LogLine, ReplicaPhase, ToAgent } from "../contract/agent.ts";
import { LogWriter, readLogFiles } from "../log/segments.ts";
import { createChecked } from "./described/checked.suite.ts";
import { ControlWorld, replica, TestNode } from "./control.suite.ts";

type ReadLog = Extract<ToAgent, { type: "read-log" }>;

/** A node that answers for logs on disk, and an API that is asked by their owner. `isThere`: it has said hello. */
async function logs({ isThere = true } = {}) {
  const world = await ControlWorld.open();
  await world.space();
  await world.release("rel_1", 1);
  const node = isThere ? await world.node([replica("p_1", "ready")]) : new TestNode();
  const asked: ReadLog[] = [];
  const folderOf = (id: string): string => join(world.folder, "logs", id);
  const spaces = new Map([["p_1", "alice/demo"]]);
  const answering = (message: ToAgent): void => {
    node.heard.push(message);
    if (message.type !== "read-log") return;
    asked.push(message);
    const { read, replica: id, space, from, limit, find } = message;
    if (spaces.get(id) !== space)
      return node.say({ type: "log", read, lines: [], next: 1, complete: true, unknown: true });
    const part = readLogFiles(folderOf(id), from, limit, find);
    const isEnded = world.replicas.get(id)?.status.phase !== "ready";
    node.say({ type: "log", read, ...part, complete: isEnded && part.lines.length === 0 && part.more !== true });
  };
  Object.assign(node.link, { send: answering });
  const print = (id: string, texts: readonly string[], source: LogLine["source"] = "app"): void => {
    mkdirSync(folderOf(id), { recursive: true });
    const log = new LogWriter(folderOf(id), world.clock);
    log.write(source, "out", texts);
    log.close();
  };
  const become = async (id: string, phase: ReplicaPhase): Promise<void> => {
    spaces.set(id, "alice/demo");
    node.say({ type: "replica", status: replica(id, phase) });
    await world.settled();
  };
  const app = createChecked(world.server);
  const token = await world.token("alice", ["read", "write"]);
  const ask = async (query: string, headers: Record<string, string> = {}, path = "/api/spaces/alice/demo/logs") =>
    app.request(`http://127.0.0.1:7070${path}${query}`, { headers: { authorization: `Bearer ${token}`, ...headers } });
  const texts = async (query: string): Promise<readonly string[]> =>
    (await (await ask(query)).text())
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => (JSON.parse(line) as LogLine).text);
  return { world, node: node, asked, print, become, ask, texts, app, spaces };
}

const numbered = (count: number, from = 1): readonly string[] =>
  Array.from({ length: count }, (_, at) => `line ${from + at}`);

/** The events that come until there are so many, then the reader goes away. */
async function eventsOf(answer: Response, count: number): Promise<readonly { id: string; text: string }[]> {
  const found: { id: string; text: string }[] = [];
  let held = "";
  for await (const bytes of answer.body ?? []) {
    const parts = (held + new TextDecoder().decode(bytes)).split("\n\n");
    held = parts.pop() ?? "";
    for (const part of parts) {
      const id = /^id: (.*)$/m.exec(part)?.[1] ?? "";
      const data = /^data: (.*)$/m.exec(part)?.[1];
      if (data !== undefined && !part.startsWith("event:"))
        found.push({ id, text: (JSON.parse(data) as LogLine).text });
    }
    if (found.length >= count) break;
  }
  return found;
}

describe("a Space's log", () => {
  test("is read whole, from a number on, its last lines, at most so many, and only those that are asked for", async () => {
    const { world, print, texts, asked } = await logs();
    await using _ = world;
    print("p_1", numbered(1_200));
    print("p_1", ["granted"], "gpu");
    assert.equal((await texts("")).length, 1_201);
    assert.deepEqual(await texts("?from=1199"), ["line 1199", "line 1200", "granted"]);
    assert.deepEqual(await texts("?tail=2"), ["line 1200", "granted"]);
    assert.deepEqual(await texts("?from=5&limit=2"), ["line 5", "line 6"]);
    assert.deepEqual(await texts("?source=gpu"), ["granted"]);
    assert.deepEqual(await texts("?grep=LINE%20119&tail=3"), ["line 1197", "line 1198", "line 1199"]);
    assert.deepEqual(await texts("?since=2100-01-01T00:00:00Z"), []);
    assert.ok(
      asked.some(({ find }) => find?.grep === "LINE 119"),
      "the node searches, not the server",
    );
  });

  test("says what is wrong with a question, and is nobody else's", async () => {
    const { world, ask, app } = await logs();
    await using _ = world;
    for (const query of ["?source=disk", "?since=soon", "?grep=", `?grep=${"x".repeat(201)}`])
      assert.equal((await ask(query)).status, 400, query);
    for (const path of ["/logs", "/logs/run", "/logs/build"])
      assert.equal((await app.request(`http://127.0.0.1:7070/api/spaces/alice/demo${path}`)).status, 401, path);
  });

  test("is asked for by HEAD as often as anybody likes: only what is read counts as a reader", async () => {
    const { world, print, app, texts } = await logs();
    await using _ = world;
    print("p_1", numbered(1));
    const authorization = `Bearer ${await world.token("alice", ["read"])}`;
    for (let asked = 0; asked <= 500; asked += 1) {
      const head = { method: "HEAD", headers: { authorization } };
      assert.equal((await app.request("http://127.0.0.1:7070/api/spaces/alice/demo/logs", head)).status, 200);
    }
    assert.deepEqual(await texts(""), ["line 1"]);
  });

  test("as events it is resumed after the last one that was seen, also where another replica took over meanwhile", async () => {
    const { world, print, become, ask } = await logs();
    await using _ = world;
    print("p_1", numbered(3));
    const accept = { accept: "text/event-stream" };
    const first = await eventsOf(await ask("?follow=1", accept), 3);
    assert.deepEqual(
      first.map(({ id }) => id),
      ["p_1:1", "p_1:2", "p_1:3"],
    );
    print("p_1", ["the last of it"]);
    await become("p_1", "exited");
    await become("p_2", "ready");
    print("p_2", ["the new one"]);
    const later = await eventsOf(await ask("?follow=1", { ...accept, "last-event-id": "p_1:3" }), 3);
    assert.deepEqual(
      later.map(({ id, text }) => [id, text]),
      [
        ["p_1:4", "the last of it"],
        ["", "-- replica p_2 follows p_1 --"],
        ["p_2:1", "the new one"],
      ],
    );
    const whole = await (await ask("", accept)).text();
    assert.match(whole, /\n\nevent: end\ndata: \{\}\n\n$/);
    const anew = await eventsOf(await ask("?follow=1", { ...accept, "last-event-id": "p_gone:9" }), 1);
    assert.deepEqual(anew[0], { id: "p_1:1", text: "line 1" });
  });

  test("that is followed goes on by itself where its node is away for a while, which is said once", async () => {
    const { world, node, print, ask } = await logs();
    await using _ = world;
    print("p_1", numbered(2));
    node.link.close();
    const seen: string[] = [];
    const reader = (async () => {
      for await (const bytes of (await ask("?follow=1&tail=1")).body ?? [])
        for (const line of new TextDecoder().decode(bytes).split("\n"))
          if (line !== "" && seen.push((JSON.parse(line) as LogLine).text) === 3) return;
    })();
    while (seen.length === 0) await immediate();
    world.nodes.connect(node.link);
    node.hello([replica("p_1", "ready")]);
    while (seen.length === 1) await immediate();
    print("p_1", ["the third"]);
    await reader;
    const away = "-- node n1 does not answer: lines from 1 on are not shown until it does --";
    assert.deepEqual(seen, [away, "line 2", "the third"]);
  });

  test("that is followed ends only where its Space is down: where none of its replicas is left and one is to come, it waits for that", async () => {
    const { world, asked, print, become, ask } = await logs();
    await using _ = world;
    print("p_1", ["by the first"]);
    const { id } = await world.builds.request({ space: "alice/demo", commit: "1", account: "alice" });
    await become("p_1", "exited");
    const seen: string[] = [];
    let isOver = false;
    const reader = (async () => {
      for await (const bytes of (await ask("?follow=1")).body ?? [])
        for (const line of new TextDecoder().decode(bytes).split("\n"))
          if (line !== "") seen.push((JSON.parse(line) as LogLine).text);
      isOver = true;
    })();
    // It is told that the first's is complete, and asks again.
    while (asked.length < 4 && !isOver) await immediate();
    assert.deepEqual([seen, isOver], [["by the first"], false]);
    print("p_2", ["by the second"]);
    await become("p_2", "ready");
    while (seen.length < 3 && !isOver) await immediate();
    await world.builds.cancel(id, { kind: "owner", name: "alice" });
    await become("p_2", "exited");
    await reader;
    assert.deepEqual(seen, ["by the first", "-- replica p_2 follows p_1 --", "by the second"]);
  });

  test("that is followed has no end where the platform stops and its apps with it: its reader comes back", async () => {
    const { world, asked, print, become, ask } = await logs();
    await using _ = world;
    print("p_1", ["by the first"]);
    let isOver = false;
    const reader = (async () => {
      for await (const bytes of (await ask("?follow=1")).body ?? []) assert.ok(bytes);
      isOver = true;
    })();
    while (asked.length === 0) await immediate();
    world.server.isLeaving = true;
    await become("p_1", "exited");
    const before = asked.length;
    while (asked.length < before + 3 && !isOver) await immediate();
    assert.equal(isOver, false);
    world.server.isLeaving = false;
    await reader;
  });

  test("goes on for a reader who comes back before its node does, also of one replica alone; one that is forgotten begins anew", async () => {
    const { world, node, print, ask } = await logs({ isThere: false });
    await using _ = world;
    print("p_1", numbered(2));
    const accept = { accept: "text/event-stream" };
    const [whole, alone, forgotten, gone] = await Promise.all([
      ask("?follow=1", { ...accept, "last-event-id": "p_1:1" }),
      ask("?follow=1&replica=p_1", { ...accept, "last-event-id": "p_1:1" }),
      ask("?follow=1", { ...accept, "last-event-id": "p_gone:9" }),
      ask("?follow=1&replica=p_gone", { ...accept, "last-event-id": "p_gone:9" }),
    ]);
    const readers = [whole, alone, forgotten, gone].map((answer) => eventsOf(answer, 2));
    const early = await ask("?replica=p_1");
    assert.deepEqual([early.status, ((await early.json()) as { code: string }).code], [503, "control-down"]);
    world.nodes.connect(node.link);
    node.hello([replica("p_1", "ready")]);
    const seen = (await Promise.all(readers)).map((events) => events.slice(0, 2).map(({ id, text }) => [id, text]));
    const awaits = (of: string, from: number): readonly string[] => [
      "",
      `-- no node has told of replica ${of} yet: lines from ${from} on are not shown until one does --`,
    ];
    assert.deepEqual(seen, [
      [awaits("p_1", 2), ["p_1:2", "line 2"]],
      [awaits("p_1", 2), ["p_1:2", "line 2"]],
      [awaits("p_gone", 10), ["p_1:1", "line 1"]],
      [awaits("p_gone", 10), ["", "-- alice/demo has no replica p_gone any more --"]],
    ]);
  });

  test("a reader that takes little is read for little", async () => {
    const { world, print, ask, asked } = await logs();
    await using _ = world;
    print("p_1", numbered(50_000));
    const reader = (await ask("")).body?.getReader();
    await reader?.read();
    await new Promise(setImmediate);
    assert.ok(asked.length <= 3, `${asked.length} parts were read of 100`);
    await reader?.cancel();
  });

  test("of an earlier replica it is read by its id or as the previous one, also where only its node knows it", async () => {
    const { world, print, become, texts, ask, spaces } = await logs();
    await using _ = world;
    print("p_1", ["out of luck"]);
    await become("p_1", "exited");
    await become("p_2", "ready");
    print("p_2", ["well"]);
    assert.deepEqual(await texts("?replica=previous"), ["out of luck"]);
    assert.deepEqual(await texts("?replica=p_2"), ["well"]);
    assert.deepEqual(await texts(""), ["out of luck", "-- replica p_2 follows p_1 --", "well"]);
    spaces.set("p_old", "alice/demo").set("p_bobs", "bob/demo");
    print("p_old", ["long ago"]);
    print("p_bobs", ["not yours"]);
    assert.deepEqual(await texts("?replica=p_old"), ["long ago"]);
    assert.deepEqual([(await ask("?replica=p_bobs")).status, (await ask("?replica=p_nowhere")).status], [404, 404]);
  });

  test("as a text to keep it has a name, and each line its time, source and stream", async () => {
    const { world, print, ask } = await logs();
    await using _ = world;
    print("p_1", ["\u001b[31mred"]);
    const answer = await ask("?download=1");
    assert.equal(answer.headers.get("content-disposition"), 'attachment; filename="alice-demo.log"');
    assert.match(await answer.text(), /^\d{4}-\S+Z app out \u001b\[31mred\n$/);
  });

  test("in the Hub's form an event is a line with its newline, and the stream ends when nothing runs any more", async () => {
    const { world, print, become, ask } = await logs();
    await using _ = world;
    print("p_1", ["one"]);
    await become("p_1", "exited");
    const text = await (await ask("", {}, "/api/spaces/alice/demo/logs/run")).text();
    assert.match(text, /^data: \{"data":"one\\n","timestamp":"\d{4}-\S+Z"\}\n\n/);
    assert.equal(await (await ask("", {}, "/api/spaces/alice/demo/logs/build")).text(), "");
  });
});

describe("a build's log", () => {
  test("is read whole without following, however long it is; and in the Hub's form it ends with the build", async () => {
    const { world, ask } = await logs();
    await using _ = world;
    const { id } = await world.builds.request({ space: "alice/demo", commit: "1", account: "alice" });
    const log = await world.builds.log(id);
    log.add(numbered(3_000).map((text) => ({ stream: "out", step: "install", text })));
    const path = `/api/builds/${id}/log`;
    const read = (await (await ask("?source=build", {}, path)).text())
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as LogLine);
    const installed = read.filter(({ step }) => step === "install");
    assert.deepEqual([installed.length, installed.at(-1)?.text], [3_000, "line 3000"]);
    const events = await eventsOf(
      await ask("?follow=1", { accept: "text/event-stream", "last-event-id": "2999" }, path),
      1,
    );
    assert.equal(events[0]?.id, "3000");
    const hub = await ask("", {}, "/api/spaces/alice/demo/logs/build");
    log.end("complete");
    assert.match(await hub.text(), /data: \{"data":"complete\\n","timestamp":"\S+"\}\n\n$/);
  });
});
