import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fitting, misfitOf, type CardFacts, type TorchFacts } from "./runtime-contract.ts";

const card = (computeCapability: string, driver = "580.95.05", more: Partial<CardFacts> = {}): CardFacts => ({
  name: `card of ${computeCapability}`,
  simulated: false,
  computeCapability,
  driver,
  ...more,
});
const torch = (archs: string, cuda: string | null = "12.4"): TorchFacts => ({
  version: "2.6.0",
  cuda,
  archs: archs.split(" ").filter((arch) => arch !== ""),
});
const code = (packages: TorchFacts, ...cards: CardFacts[]): string => misfitOf(packages, cards)?.code ?? "fits";

describe("what torch was compiled for, and a card", () => {
  // Machine code: its own major version, from its own minor one on. PTX: whatever is newer.
  const rows: readonly (readonly [archs: string, capability: string, fits: boolean])[] = [
    ["sm_90", "9.0", true],
    ["sm_80", "8.6", true],
    ["sm_86", "8.0", false],
    ["sm_80", "9.0", false],
    ["sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90", "8.9", true],
    ["sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90", "10.0", false],
    ["sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90", "3.7", false],
    ["sm_90 compute_90", "12.0", true],
    ["compute_90", "9.0", true],
    ["compute_90", "8.9", false],
    ["sm_100 sm_120", "10.3", true],
    ["sm_100 sm_120", "12.1", true],
    ["sm_120", "12.0", true],
    ["sm_90a", "9.0", true],
    ["sm_90a compute_90a", "10.0", false],
    ["sm_100f", "10.3", true],
    ["gfx90a", "9.0", false],
  ];
  for (const [archs, capability, fits] of rows) {
    test(`${archs} ${fits ? "runs" : "does not run"} on ${capability}`, () =>
      assert.equal(code(torch(archs), card(capability)), fits ? "fits" : "runtime/arch-mismatch"));
  }

  test("a card in the pool that fits is enough, and how many do is counted", () => {
    const cards = [card("7.0"), card("9.0")];
    assert.equal(code(torch("sm_90"), ...cards), "fits");
    assert.equal(fitting(torch("sm_90"), cards), 1);
  });

  test("what is wrong names the wheel, the card, and what would do", () => {
    const says = misfitOf(torch("sm_70 sm_80"), [card("12.0", "580.95.05", { name: "NVIDIA B40" })])?.says;
    assert.equal(
      says,
      "torch 2.6.0, CUDA 12.4, compiled for sm_70 sm_80 has no code for NVIDIA B40, whose compute capability is 12.0: name a torch that was compiled for sm_120, or compute_ of at most 120",
    );
  });

  test("nothing is forbidden where there is nothing to compare", () => {
    assert.equal(code(torch("sm_70")), "fits", "no cards");
    assert.equal(code(torch("sm_70"), card("9.0", "580", { simulated: true })), "fits", "simulated ones");
    const { computeCapability: _capability, ...silent } = card("9.0");
    assert.equal(code(torch("sm_70"), silent), "fits", "one that does not say");
    assert.equal(code(torch(""), card("9.0")), "fits", "a list that was not found");
    assert.equal(code(torch("", null), card("9.0")), "fits", "no CUDA");
    assert.equal(misfitOf(null, [card("9.0")]), undefined, "no torch");
  });
});

describe("what CUDA needs, and a driver", () => {
  const rows: readonly (readonly [cuda: string, driver: string, fits: boolean])[] = [
    ["11.8", "450.80.02", true],
    ["11.8", "450.80.01", false],
    ["12.1", "525.60.13", true],
    ["12.8", "525.60.12", false],
    ["12.8", "470.182.03", false],
    ["12.8", "535.104.05", true],
    ["13.0", "575.57.08", false],
    ["13.0", "580.65.06", true],
    ["13.0", "590", true],
    ["13.0", "580", false],
    ["10.2", "390.12", true], // not in the table: nothing is known to forbid it
    ["14.0", "580.65.06", true],
  ];
  for (const [cuda, driver, fits] of rows) {
    test(`CUDA ${cuda} ${fits ? "may start" : "does not start"} with driver ${driver}`, () =>
      assert.equal(code(torch("sm_90", cuda), card("9.0", driver)), fits ? "fits" : "runtime/driver-too-old"));
  }
});
