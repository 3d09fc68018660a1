import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { discover, parseCards, parseSimulated } from "./discovery.ts";

const line = (index: number, uuid: string, name: string, ...more: string[]): string =>
  [index, uuid, `00000000:0${index}:00.0`, "570.86.15", "81559 MiB", name, ...more].join(", ");

describe("discovery", () => {
  test("reads nvidia-smi's lines, with a comma in a name", () => {
    const lines = [line(0, "GPU-5a1f", "NVIDIA H100, 80GB HBM3", "9.0"), line(1, "GPU-77", "NVIDIA L4", "8.9")];
    const { devices, buses } = parseCards(lines, true, 1);
    assert.deepEqual(
      devices.map(({ index, uuid, name, computeCapability, driver, memoryMiB, simulated }) => [
        index,
        uuid,
        name,
        computeCapability,
        driver,
        memoryMiB,
        simulated,
      ]),
      [
        [0, "GPU-5a1f", "NVIDIA H100, 80GB HBM3", "9.0", "570.86.15", 81_559, false],
        [1, "GPU-77", "NVIDIA L4", "8.9", "570.86.15", 81_559, false],
      ],
    );
    assert.deepEqual(buses, { "GPU-5a1f": "0:00:00.0", "GPU-77": "0:01:00.0" });
  });

  test("what a card or its driver does not say is left out", () => {
    const [card] = parseCards(["0, GPU-1, 00000000:01:00.0, [N/A], [N/A], Tesla K80"], false, 2).devices;
    assert.deepEqual(card, { index: 0, uuid: "GPU-1", name: "Tesla K80", slots: 2, simulated: false });
  });

  test("a line that is no card is an error, not a card", () => {
    assert.throws(
      () => parseCards(["NVIDIA-SMI has failed because it couldn't communicate with the driver"], true, 1),
      SyntaxError,
    );
  });

  test("a machine without the command has no cards, and it is said why", async () => {
    const { devices, absent, says } = await discover("no-such-command-here");
    assert.deepEqual([devices, absent, says], [[], true, "no-such-command-here is not installed"]);
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
