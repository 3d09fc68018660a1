import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { asPackage, compare, fitting, type CardFacts, type Misfit, type TorchFacts } from "./runtime-contract.ts";
import type { CudaPackage } from "../contract/release.ts";

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
const misfitOf = (packages: TorchFacts | null, cards: readonly CardFacts[]): Misfit | undefined =>
  compare({ torch: packages }, cards).misfit;
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
    assert.equal(fitting(asPackage(torch("sm_90")), cards), 1);
  });

  test("what is wrong names the wheel, the card, and what would do", () => {
    const says = misfitOf(torch("sm_70 sm_80"), [card("12.0", "580.95.05", { name: "NVIDIA B40" })])?.says;
    assert.equal(
      says,
      "torch 2.6.0, CUDA 12.4, compiled for sm_70 sm_80 has no code for NVIDIA B40, whose compute capability is 12.0: name torch 2.9 or later of PyTorch's index cu130, which runs there",
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

describe("PTX, and a driver", () => {
  // The driver compiles it: one that came before that CUDA does not know it, although it runs the same CUDA's machine code.
  const rows: readonly (readonly [archs: string, cuda: string, driver: string, says: string])[] = [
    ["compute_90", "12.8", "570.26", "fits"],
    ["compute_90", "12.8", "565.57.01", "runtime/driver-too-old"],
    ["sm_120 compute_90", "12.8", "565.57.01", "fits"],
    ["sm_90 compute_90", "12.4", "550.54.14", "fits"],
    ["sm_90 compute_90", "12.4", "535.104.05", "runtime/driver-too-old"],
    ["compute_90", "12.6", "555.42.02", "fits"], // the PTX of 12.5
    ["compute_90", "12", "525.60.13", "fits"], // of no known minor version: nothing is known to forbid it
    ["compute_90", "13.9", "580.65.06", "fits"],
  ];
  for (const [archs, cuda, driver, says] of rows) {
    test(`${archs} of CUDA ${cuda} on a 12.0 with driver ${driver}: ${says}`, () =>
      assert.equal(code(torch(archs, cuda), card("12.0", driver)), says));
  }
});

describe("what would do", () => {
  const says = (packages: TorchFacts, one: CardFacts): string => misfitOf(packages, [one])?.says ?? "";
  test("is the newest of PyTorch's indexes that runs on the card with its driver", () => {
    assert.match(says(torch("sm_90"), card("12.0", "575.51.03")), /name torch 2\.7 or later of PyTorch's index cu128/);
    assert.match(says(torch("sm_120", "12.8"), card("7.0")), /name torch 2\.6 or later of PyTorch's index cu126/);
    assert.match(
      says(torch("sm_90", "13.0"), card("9.0", "535.1")),
      /update it, or name torch 2\.7 or later of .* cu128/,
    );
    assert.match(says(torch("sm_90", "12.8"), card("9.0", "470.1")), /needs a driver of 525\.60\.13.* index cu118/);
  });

  test("is said of the code where none of them does", () => {
    const old = card("3.7", "470.1");
    assert.match(says(torch("sm_90"), old), /name a torch that was compiled for sm_37, or compute_ of at most 37$/);
  });
});

describe("the packages beside torch", () => {
  const one = (name: string, archs: string, more: Partial<CudaPackage> = {}): CudaPackage => ({
    name,
    version: "1.0",
    cuda: "12.8",
    archs: archs.split(" ").filter((arch) => arch !== ""),
    ...more,
  });
  const of = (found: ReturnType<typeof compare>): unknown => [
    found.misfit?.code,
    found.doubts.map(({ code: one_ }) => one_),
  ];
  const blackwell = [card("12.0", "570.26", { name: "RTX PRO 6000" })];
  const fits = torch("sm_90 sm_120", "12.8");

  test("that do not fit are doubts: the app may do without them", () => {
    const found = compare(
      { torch: fits, packages: [one("flash-attn", "sm_80 sm_90"), one("xformers", "compute_80")] },
      blackwell,
    );
    assert.deepEqual(of(found), [undefined, ["runtime/arch-mismatch"]]);
    assert.match(
      found.doubts[0]?.says ?? "",
      /^flash-attn 1\.0, CUDA 12\.8, compiled for sm_80 sm_90 has no code for RTX PRO 6000.*name a flash-attn that was compiled for sm_120/,
    );
  });

  test("decide where there is no torch with CUDA: none of them runs", () => {
    const packages = [one("onnxruntime-gpu", "sm_80"), one("cupy-cuda12x", "sm_90")];
    assert.deepEqual(of(compare({ torch: null, packages }, blackwell)), [
      "runtime/arch-mismatch",
      ["runtime/arch-mismatch"],
    ]);
    const some = [...packages, one("jax-cuda12-plugin", "sm_80 sm_120")];
    assert.deepEqual(of(compare({ torch: torch("", null), packages: some }, blackwell)), [
      undefined,
      ["runtime/arch-mismatch", "runtime/arch-mismatch"],
    ]);
  });

  test("a driver that is too old for the runtime that one brings is told, too", () => {
    const runtime = one("nvidia-cuda-runtime", "", { cuda: "13.0" });
    assert.deepEqual(of(compare({ torch: null, packages: [runtime] }, blackwell)), ["runtime/driver-too-old", []]);
    assert.deepEqual(of(compare({ torch: fits, packages: [runtime] }, blackwell)), [
      undefined,
      ["runtime/driver-too-old"],
    ]);
  });

  test("a Triton that is older than the card does not know it", () => {
    const triton = (version: string): CudaPackage => one("triton", "", { version, cuda: null });
    assert.deepEqual(of(compare({ torch: fits, packages: [triton("3.2.0")] }, blackwell)), [
      undefined,
      ["runtime/arch-mismatch"],
    ]);
    assert.deepEqual(of(compare({ torch: fits, packages: [triton("3.3.1")] }, blackwell)), [undefined, []]);
    assert.deepEqual(of(compare({ torch: torch("sm_80"), packages: [triton("3.2.0")] }, [card("8.9")])), [
      undefined,
      [],
    ]);
  });

  test("releases of before this was looked at have none", () =>
    assert.deepEqual(of(compare({ torch: null }, blackwell)), [undefined, []]));
});

/** What the reader finds in published wheels: name, version, CUDA, code. */
const wheels: readonly CudaPackage[] = [
  {
    name: "torchvision",
    version: "0.20.0",
    cuda: "12.4",
    archs: words("sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90 compute_50"),
  },
  {
    name: "torchaudio",
    version: "2.8.0",
    cuda: "12.8",
    archs: words("sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90 sm_100 sm_120 compute_50"),
  },
  { name: "xformers", version: "0.0.31", cuda: "12.8", archs: words("sm_75 sm_80 sm_90a compute_80") },
  {
    name: "bitsandbytes",
    version: "0.45.0",
    cuda: "11",
    archs: words("sm_50 sm_52 sm_60 sm_61 sm_70 sm_75 sm_80 sm_86 sm_89 sm_90"),
  },
  {
    name: "onnxruntime-gpu",
    version: "1.20.0",
    cuda: "12.2",
    archs: words(
      "sm_52 sm_60 sm_61 sm_70 sm_75 sm_80 compute_52 compute_60 compute_61 compute_70 compute_75 compute_80",
    ),
  },
  {
    name: "cupy-cuda11x",
    version: "13.6.0",
    cuda: "11",
    archs: words("sm_35 sm_37 sm_50 sm_52 sm_60 sm_61 sm_70 sm_75 sm_80 sm_86 sm_89 sm_90 compute_90"),
  },
];
/** Ada, Hopper, two kinds of Blackwell; each with a driver of its time and with a new one. */
const fleet = {
  ada: card("8.9", "535.104.05"),
  hopper: card("9.0", "550.54.14"),
  b200: card("10.0", "570.26"),
  rtx6000: card("12.0", "580.65.06"),
  newer: card("13.0", "590.44.01"),
};

describe("published wheels on Ada, Hopper and Blackwell", () => {
  const expected: Readonly<Record<string, Readonly<Record<keyof typeof fleet, string>>>> = {
    torchvision: { ada: "fits", hopper: "fits", b200: "fits", rtx6000: "fits", newer: "fits" },
    torchaudio: { ada: "fits", hopper: "fits", b200: "fits", rtx6000: "fits", newer: "fits" },
    xformers: { ada: "fits", hopper: "fits", b200: "fits", rtx6000: "fits", newer: "fits" },
    bitsandbytes: {
      ada: "fits",
      hopper: "fits",
      b200: "arch-mismatch",
      rtx6000: "arch-mismatch",
      newer: "arch-mismatch",
    },
    "onnxruntime-gpu": { ada: "fits", hopper: "fits", b200: "fits", rtx6000: "fits", newer: "fits" },
    "cupy-cuda11x": { ada: "fits", hopper: "fits", b200: "fits", rtx6000: "fits", newer: "fits" },
  };
  for (const wheel of wheels)
    test(`${wheel.name} ${wheel.version}`, () => {
      const found = Object.entries(fleet).map(([name, one]) => [
        name,
        compare({ torch: null, packages: [wheel] }, [one]).misfit?.code.replace("runtime/", "") ?? "fits",
      ]);
      assert.deepEqual(Object.fromEntries(found), expected[wheel.name]);
    });

  test("whose only code for the card is PTX need a driver as new as that", () => {
    const [torchvision] = wheels as [CudaPackage];
    const old = compare({ torch: null, packages: [torchvision] }, [card("10.0", "535.104.05")]).misfit;
    assert.equal(old?.code, "runtime/driver-too-old");
    assert.match(old?.says ?? "", /has only PTX for .*does not know that PTX: update it to 550\.54\.14 or later/);
  });
});

function words(text: string): readonly string[] {
  return text.split(" ");
}
