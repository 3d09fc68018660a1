import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseFrame, parseOpening, Session } from "./session.ts";

const message = (n: number): string => JSON.stringify({ type: "heartbeat", n });

/** What comes of a socket that loses its tail, says frames twice, or swaps two of them. */
type Fault = { readonly keep: number; readonly twice: boolean; readonly swap: boolean };
const fault = fc.record({ keep: fc.nat(8), twice: fc.boolean(), swap: fc.boolean() });

function carried(frames: readonly string[], { keep, twice, swap }: Fault): string[] {
  const arrived = frames.slice(0, keep);
  if (swap && arrived.length > 1) arrived.reverse();
  return twice ? arrived.flatMap((frame) => [frame, frame]) : arrived;
}

/** Takes frames until one cannot be taken: then the socket is given up. */
function takeAll(session: Session, frames: readonly string[], heard: number[]): void {
  for (const text of frames) {
    const frame = parseFrame(text);
    assert(frame?.kind === "message");
    const taken = session.take(frame.n);
    if (taken === "gap") return;
    if (taken === "taken") heard.push((frame.message as { n: number }).n);
  }
}

describe("a session", () => {
  test("carries each message once and in order, whatever is lost, said twice or swapped on its sockets", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(5), fault), { maxLength: 30 }), (sockets) => {
        const [from, to] = [new Session(), new Session()];
        const heard: number[] = [];
        let sent = 0;
        for (const [count, faults] of sockets) {
          const again = from.resume(to.got);
          assert(again);
          const fresh = Array.from({ length: count }, () => from.post(message(++sent)) ?? assert.fail("it is kept"));
          takeAll(to, carried([...again, ...fresh], faults), heard);
        }
        takeAll(to, from.resume(to.got) ?? [], heard);
        assert.deepEqual(
          heard,
          Array.from({ length: sent }, (_, at) => at + 1),
        );
      }),
    );
  });

  test("keeps no more than its bound, in messages and in characters, and forgets what the other end has", () => {
    const few = new Session({ messages: 2, chars: 1_000 });
    assert(few.post(message(1)) && few.post(message(2)));
    assert.equal(few.post(message(3)), undefined);
    assert.equal(few.acknowledge(1), true);
    assert(few.post(message(3)));
    const short = new Session({ messages: 10, chars: message(1).length });
    assert(short.post(message(1)));
    assert.equal(short.post(message(2)), undefined);
  });

  test("is not gone on with by one that lacks what was forgotten, or that has what was never sent", () => {
    const session = new Session();
    session.post(message(1));
    session.post(message(2));
    assert.equal(session.acknowledge(3), false);
    assert.equal(session.resume(3), undefined);
    assert.equal(session.resume(1)?.length, 1);
    assert.equal(session.resume(0), undefined);
  });

  test("what is no frame and no opening is neither", () => {
    for (const text of ["", "[]", "7", '{"n":1,"got":0,"m":{}}', '{"n":0,"got":0,"m":{"type":"x"}}', '{"got":-1}'])
      assert.equal(parseFrame(text), undefined, text);
    for (const text of ["{}", '{"open":{"session":7,"begins":true,"got":0}}', '{"open":null}', "no"])
      assert.equal(parseOpening(text), undefined, text);
  });
});
