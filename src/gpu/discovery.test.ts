import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { discover, parseCards, parseSimulated } from "./discovery.ts";

const line = (index: number, uuid: string, name: string, ...more: string[]): string =>
  [index, uuid, `00000000:0${index}:00.0`, "570.86.15", "81559 MiB", name, ...more].join(", ");

const asked = ["index", "uuid", "pci.bus_id", "driver_version", "memory.total", "name", "compute_cap"];

describe("discovery", () => {
  test("reads nvidia-smi's lines, with a comma in a name", () => {
    const lines = [line(0, "GPU-5a1f", "NVIDIA H100, 80GB HBM3", "9.0"), line(1, "GPU-77", "NVIDIA L4", "8.9")];
    const { devices, buses } = parseCards(lines, { asked, slotsOfCard: 1 });
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

  // Composed from the fields that nvidia-smi documents and the values that such cards have; recorded from none.
  const kinds: readonly (readonly [string, string, object])[] = [
    [
      "H200",
      "0, GPU-h200, 00000000:19:00.0, 570.133.20, 143771 MiB, NVIDIA H200, 9.0, Enabled, Disabled",
      { name: "NVIDIA H200", computeCapability: "9.0", driver: "570.133.20", memoryMiB: 143_771, ecc: true },
    ],
    [
      "RTX PRO 6000, which says nothing of MIG",
      "0, GPU-pro, 00000000:61:00.0, 590.44.01, 97887 MiB, NVIDIA RTX PRO 6000 Blackwell Server Edition, 12.0, Disabled, [N/A]",
      { computeCapability: "12.0", memoryMiB: 97_887, ecc: false },
    ],
    [
      "L4",
      "0, GPU-l4, 00000000:00:03.0, 550.90.07, 23034 MiB, NVIDIA L4, 8.9, Enabled, [N/A]",
      { computeCapability: "8.9", memoryMiB: 23_034, ecc: true },
    ],
    [
      "a consumer card, which has no such memory",
      "0, GPU-4090, 00000000:01:00.0, 580.95.05, 24564 MiB, NVIDIA GeForce RTX 4090, 8.9, [N/A], [N/A]",
      { computeCapability: "8.9", memoryMiB: 24_564, ecc: undefined },
    ],
  ];
  for (const [what, text, facts] of kinds)
    test(`reads ${what}`, () => {
      const all = [...asked, "ecc.mode.current", "mig.mode.current"];
      const { devices, divided } = parseCards([text], { asked: all, slotsOfCard: 1 });
      const found = devices[0] as unknown as Record<string, unknown>;
      assert.deepEqual([Object.fromEntries(Object.keys(facts).map((key) => [key, found[key]])), divided], [facts, []]);
    });

  test("what a card or its driver does not say is left out", () => {
    const [card] = parseCards(["0, GPU-1, 00000000:01:00.0, [N/A], [N/A], Tesla K80"], {
      asked: asked.slice(0, 6),
      slotsOfCard: 2,
    }).devices;
    assert.deepEqual(card, { index: 0, uuid: "GPU-1", name: "Tesla K80", slots: 2, simulated: false });
  });

  test("a line that is no card is an error, not a card", () => {
    assert.throws(
      () =>
        parseCards(["NVIDIA-SMI has failed because it couldn't communicate with the driver"], {
          asked,
          slotsOfCard: 1,
        }),
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
