import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";

import type { CallTold } from "../ports.ts";
import { Voice } from "./voice.ts";
import type { MessagesSetting } from "./voice.ts";
import { isHosted } from "./words.ts";
import type { Refused } from "./words.ts";

const one = "0123456789abcdef0123456789abcdef";
const two = "fedcba9876543210fedcba9876543210";
const said = (fields: Readonly<Record<string, unknown>>): string => `data: ${JSON.stringify(fields)}\n\n`;
const starts = (event: string): string => said({ msg: "process_starts", event_id: event, eta: null });
const failed = (event: string, output: unknown): string =>
  said({ msg: "process_completed", event_id: event, output, success: false });
const place = (event: string, rank: number, of: number, eta: number | null): string =>
  said({ msg: "estimation", event_id: event, rank, queue_size: of, rank_eta: eta });
const waiting = (position: number, of = 5, estimateMs: number | null = 22_000): CallTold => ({
  kind: "waiting",
  position,
  of,
  estimateMs,
});
const refused: Refused & CallTold = {
  kind: "refused",
  code: "gpu/queue-timeout",
  says: "No GPU became free within 60 s. Nothing was charged.",
};
const timeout = { error: "No GPU was available after 60s. Retry later", title: "ZeroGPU queue timeout", visible: true };
const truth = { error: refused.says, title: "GPU queue", visible: true };

/** A visitor's end of a stream; `slow`: it takes nothing at the moment. */
function stream(messages: MessagesSetting = "full", event?: string) {
  const known = new Map<string, Refused>();
  const world = {
    text: "",
    now: 0,
    slow: false,
    told: [] as string[],
    pass: (text: string | Buffer) => {
      world.text += voice.pass(Buffer.from(text)).toString();
    },
    end: () => {
      world.text += voice.rest().toString();
    },
    refuse: (of: string, why: Refused = refused) => {
      known.set(of, why);
      voice.tell(of, { kind: "refused", ...why });
    },
  };
  const voice = new Voice(event, {
    messages,
    monotonic: () => world.now,
    insert: (bytes) => {
      if (!world.slow) world.text += bytes.toString();
      return !world.slow;
    },
    refusalOf: (of) => known.get(of),
    onSentence: (of, { code }) => void world.told.push(`${of.slice(0, 2)} ${code}`),
  });
  return { ...world, world, voice };
}

describe("places in the GPU queue", () => {
  test("are told as Gradio tells places, and when the call has its GPU the function goes on", () => {
    const { world, voice, pass } = stream();
    pass(starts(one));
    voice.tell(one, waiting(3));
    voice.tell(one, { kind: "granted" });
    assert.equal(world.text, `${starts(one)}${place(one, 2, 5, 22)}${starts(one)}`);
    assert.deepEqual(voice.facts, { said: { places: 1, starts: 1, sentences: 0 } });
  });

  test("of a call that has its GPU at once nothing is said", () => {
    const { world, voice } = stream();
    voice.tell(one, { kind: "granted" });
    voice.speak();
    assert.deepEqual([world.text, voice.facts], ["", undefined]);
  });

  test("once a second and event at most, the newest then; what has not changed is not said again", () => {
    const { world, voice } = stream();
    voice.tell(one, waiting(5));
    voice.tell(one, waiting(4));
    voice.tell(one, waiting(3));
    voice.tell(two, waiting(1, 1, null));
    world.now = 999;
    voice.speak();
    assert.equal(world.text, place(one, 4, 5, 22) + place(two, 0, 1, null));
    world.now = 1_000;
    voice.speak();
    voice.tell(two, waiting(1, 1, null));
    world.now = 5_000;
    voice.speak();
    assert.equal(world.text, place(one, 4, 5, 22) + place(two, 0, 1, null) + place(one, 2, 5, 22));
  });

  test("stand between whole events of the app, wherever its bytes are cut", () => {
    const { world, voice, pass } = stream();
    const app = `${starts(one)}: a comment\n\n`;
    for (const [i, byte] of [...Buffer.from(app)].entries()) {
      pass(Buffer.from([byte]));
      world.now = (i + 1) * 2_000;
      voice.tell(one, waiting(2, i + 2));
    }
    const events = world.text.split("\n\n").slice(0, -1);
    assert.ok(events.every((event) => event === ": a comment" || JSON.parse(event.slice("data: ".length))));
    assert.equal(events.filter((event) => !event.includes("estimation")).join("\n\n"), app.slice(0, -2));
    assert.ok(events.length > 2);
  });

  test("never after the event's end", () => {
    const { world, voice, pass } = stream();
    pass('data: {"msg":"process_com');
    voice.tell(one, waiting(2));
    const rest = 'pleted"}\n\n';
    pass(rest);
    voice.over(one);
    world.now = 10_000;
    voice.speak();
    assert.equal(world.text, `data: {"msg":"process_com${rest}`);
  });

  test("wait while the visitor takes nothing, and are the newest then", () => {
    const { world, voice } = stream();
    world.slow = true;
    voice.tell(one, waiting(5));
    world.now = 3_000;
    voice.tell(one, waiting(2));
    assert.equal(world.text, "");
    world.slow = false;
    voice.speak();
    assert.equal(world.text, place(one, 1, 5, 22));
  });

  test("are told in full only, and not to who asks for the result of one call", () => {
    for (const { world, voice } of [stream("quiet"), stream("off"), stream("full", one)]) {
      voice.tell(one, waiting(5));
      voice.tell(one, { kind: "granted" });
      assert.equal(world.text, "");
    }
  });
});

describe("the true sentence", () => {
  test("stands where the hosted service's stood, and nothing else of the event changes", () => {
    const { world, refuse, pass } = stream();
    refuse(one);
    pass(starts(one) + failed(one, timeout));
    assert.equal(world.text, starts(one) + failed(one, truth));
    assert.deepEqual(world.told, ["01 gpu/queue-timeout"]);
  });

  test("is said in quiet too, and off leaves every byte as it came", () => {
    const quiet = stream("quiet");
    quiet.refuse(one);
    quiet.pass(failed(one, timeout));
    assert.equal(quiet.world.text, failed(one, truth));
    const off = stream("off");
    off.refuse(one);
    off.pass(failed(one, timeout));
    assert.equal(off.world.text, failed(one, timeout));
  });

  const kept: readonly [what: string, text: string][] = [
    ["the app's own error", failed(one, { error: "no such style", title: "Error" })],
    ["an error whose text the app hides", failed(one, { error: null })],
    ["the app's own title over such words", failed(one, { ...timeout, title: "My queue" })],
    ["another call's", failed(two, timeout)],
    ["what went well", said({ msg: "process_completed", event_id: one, output: { data: [timeout] }, success: true })],
    ["progress that quotes it", said({ msg: "log", event_id: one, log: timeout.error })],
    ["what is no JSON", `data: {"msg":"process_completed","event_id":"${one}",\n\n`],
    ["an event of two data lines", failed(one, timeout).replace("\n\n", "\ndata: more\n\n")],
  ];
  for (const [what, text] of kept)
    test(`leaves ${what} as it came`, () => {
      const { world, refuse, pass, end } = stream();
      refuse(one);
      pass(text);
      end();
      assert.equal(world.text, text);
    });

  test("is for a call that we refused: without one every byte passes as it came", () => {
    const { world, pass } = stream();
    pass(failed(one, timeout));
    assert.equal(world.text, failed(one, timeout));
  });

  test("in the language of call/NAME/ID, as an object or a text; its other events stay", () => {
    for (const [output, expected] of [
      [timeout, truth],
      [timeout.error, refused.says],
    ]) {
      const { world, refuse, pass } = stream("full", one);
      refuse(one);
      const generating = `event: generating\ndata: ${JSON.stringify(output)}\n\n`;
      pass(`${generating}event: error\ndata: ${JSON.stringify(output)}\n\n`);
      assert.equal(world.text, `${generating}event: error\ndata: ${JSON.stringify(expected)}\n\n`);
    }
  });

  test("has no markup: Gradio's page would read it", () => {
    const { world, refuse, pass } = stream();
    refuse(one, { code: "capacity/pool-draining", says: "drained: <img src=x onerror=1>" });
    pass(failed(one, timeout));
    assert.doesNotMatch(world.text, /[<>]/);
  });

  test("the stream is the same wherever the app's bytes are cut, and all that is not replaced is there, in order", () => {
    const event = fc.constantFrom(
      failed(one, timeout),
      failed(two, timeout),
      failed(one, { error: "äöü 😀", title: "Error" }),
      starts(two),
      `: a comment\n\n`,
      `event: x\r\ndata: ${"y".repeat(40_000)}\r\n\r\n`,
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 6 }), fc.array(fc.nat(500), { maxLength: 12 }), (events, cuts) => {
        const { world, refuse, pass, end } = stream();
        refuse(one);
        let rest = Buffer.from(events.join(""));
        for (const cut of cuts) {
          pass(rest.subarray(0, cut));
          rest = rest.subarray(cut);
        }
        pass(rest);
        end();
        const expected = events.map((text) => (text === failed(one, timeout) ? failed(one, truth) : text));
        assert.equal(world.text, expected.join(""));
      }),
    );
  });
});

describe("the table of the hosted service's texts", () => {
  test("has what `spaces` says where it was told no, with and without a title, and nothing that an app says", () => {
    const quota =
      "You have exceeded your free GPU quota (60s requested vs. 12s left). Try again in 1:02:03. <a href=x>";
    for (const [says, title] of [
      [quota, "ZeroGPU quota exceeded"],
      ["Space app has reached its GPU limit. Retry", "ZeroGPU quota exceeded"],
      ["The requested GPU duration (600s) is larger than the maximum allowed", "ZeroGPU illegal duration"],
      ["No GPU is currently available", "ZeroGPU client error"],
      ["No GPU was available after 60s.", undefined],
      ["'No GPU was available after 60s.'", undefined],
      [`"You have exceeded your GPU quota (60s requested vs. 12s left). It's over"`, "Error"],
    ])
      assert.ok(isHosted(says, title), String(says));
    for (const [says, title] of [
      ["GPU task aborted", "ZeroGPU worker error"],
      [`I said: ${quota}`, "Error"],
      [`'I said: ${quota}'`, "Error"],
      ["", "ZeroGPU quota exceeded"],
      [undefined, "ZeroGPU quota exceeded"],
    ])
      assert.ok(!isHosted(says, title), String(says));
  });
});
