import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Reaches } from "./reaches.ts";

function world() {
  const folder = mkdtempSync(join(tmpdir(), "waybill-reach-"));
  const told: unknown[] = [];
  const failed: string[] = [];
  const gateway = { keepTo: (space: string, reach: unknown) => void told.push([space, reach]) };
  const open = (): Reaches => new Reaches(folder, gateway, (what) => failed.push(what));
  return { folder, told, failed, open, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

describe("what a node's Spaces keep to", () => {
  test("is the gateway's at once, and again when the agent comes back; a Space that reaches all leaves no row", () => {
    using node = world();
    const first = node.open();
    first.keepTo("alice/demo", "api.example.com:443");
    first.keepTo("alice/shut", "none");
    first.keepTo("bob/open", "all");
    first.keepTo("bob/shut", "none");
    first.keepTo("bob/shut", "all");
    node.told.length = 0;
    node.open();
    assert.deepEqual(node.told, [
      ["alice/demo", [{ pattern: "api.example.com", port: 443 }]],
      ["alice/shut", []],
    ]);
  });

  test("leaves no file where nobody keeps to less, and lets nothing through by what it does not understand", () => {
    using node = world();
    const reaches = node.open();
    reaches.keepTo("alice/demo", "all");
    assert.deepEqual([readdirSync(node.folder), node.told], [[], [["alice/demo", null]]]);
    reaches.keepTo("alice/demo", "of tomorrow!");
    assert.deepEqual(node.told.at(-1), ["alice/demo", []]);
  });

  test("holds also where the disk does not keep it, and says so; where it cannot be read there is no start", () => {
    using node = world();
    const reaches = node.open();
    rmSync(node.folder, { recursive: true });
    reaches.keepTo("alice/demo", "none");
    assert.deepEqual([node.told.at(-1), node.failed], [["alice/demo", []], ["keeping what Spaces reach"]]);
    using other = world();
    writeFileSync(join(other.folder, "reach.json"), "{");
    assert.throws(() => other.open(), SyntaxError);
  });
});
