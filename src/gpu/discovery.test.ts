import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { discover, parseCards, parseSimulated } from "./discovery.ts";

describe("discovery", () => {
  test("reads nvidia-smi's lines, with a comma in a name", () => {
    const text = "0, GPU-5a1f, NVIDIA H100, 80GB HBM3, 81559 MiB\n1, GPU-77, NVIDIA L4, 23034 MiB\n\n";
    assert.deepEqual(
      parseCards(text).map(({ index, uuid, name }) => [index, uuid, name]),
      [
        [0, "GPU-5a1f", "NVIDIA H100, 80GB HBM3"],
        [1, "GPU-77", "NVIDIA L4"],
      ],
    );
    assert.equal(
      parseCards(text).every((card) => !card.simulated),
      true,
    );
  });

  test("a line that is no card is an error, not a card", () => {
    assert.throws(
      () => parseCards("NVIDIA-SMI has failed because it couldn't communicate with the driver\n"),
      SyntaxError,
    );
  });

  test("a machine without the command has no cards, and it is said why", async () => {
    const { devices, says } = await discover("no-such-command-here");
    assert.deepEqual([devices, says], [[], "no-such-command-here is not installed"]);
  });

  test("simulated cards say that they are", () => {
    const cards = parseSimulated("2x3");
    assert.deepEqual(
      cards?.map(({ index, slots, simulated, name }) => [index, slots, simulated, name]),
      [
        [0, 3, true, "simulated GPU"],
        [1, 3, true, "simulated GPU"],
      ],
    );
    assert.equal(new Set(cards?.map(({ uuid }) => uuid)).size, 2);
  });

  for (const text of ["", "2", "0x2", "2x0", "65x1", "1x17", "2x2x2", "-1x2"]) {
    test(`"${text}" names no simulated cards`, () => assert.equal(parseSimulated(text), undefined));
  }
});
