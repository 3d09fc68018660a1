/** What packages were compiled for, against cards of several generations. The cards are a stand-in's; one wheel is a real one. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readPackages } from "../../src/build/cuda/installed.ts";
import { needs } from "../support/needs.ts";
import { StandInSmi, h100, type StandInCard } from "../support/nvidia-smi.ts";
import { Platform, type Account, type App } from "../support/platform.ts";
import { deployWithPackages } from "../support/run.ts";
import { gradioWithTorch } from "../support/torch-wheel.ts";

const { skip } = await needs("gradio");

test("a published wheel is read by its headers", { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "wb-wheel-"));
  try {
    const kind = ["--no-deps", "--only-binary=:all:", "--python-version=3.10", "--platform=manylinux_2_28_x86_64"];
    execFileSync("python3", ["-m", "pip", "download", "--quiet", ...kind, "--dest", folder, "torchaudio==2.8.0"]);
    execFileSync("python3", ["-m", "zipfile", "-e", join(folder, readdirSync(folder)[0] as string), folder]);
    const found = await readPackages(folder, folder, AbortSignal.timeout(60_000));
    const archs = "sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90 sm_100 sm_120 compute_50".split(" ");
    assert.deepEqual(found, {
      packages: [{ name: "torchaudio", version: "2.8.0", cuda: "12.8", archs }],
      whole: true,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe("an app's packages, built on a node with cards", { skip }, () => {
  const of = (name: string, capability: string): StandInCard => ({
    ...h100(0),
    name: `${name} (stand-in)`,
    capability,
  });
  const smi = new StandInSmi();
  let up: Platform;
  let alice: Account;
  before(async () => {
    up = await Platform.start({ gpus: null, env: { WAYBILL_NVIDIA_SMI: smi.command } });
    alice = await up.account("alice");
  });
  after(async () => {
    await up[Symbol.asyncDispose]();
    smi[Symbol.dispose]();
  });

  async function node(card: StandInCard, driver = "580.95.05"): Promise<void> {
    smi.set({ driver, cards: [card] });
    await up.restart();
  }
  const log = async ({ deployed }: App): Promise<string> => {
    const lines: string[] = [];
    for await (const { text } of up.admin.buildLog(deployed.build?.id ?? "")) lines.push(text);
    return lines.join("\n");
  };

  test("Blackwell: a torch of before it is refused, with the index that has one", async () => {
    await node(of("RTX PRO 6000", "12.0"), "570.86.15");
    const torch = { version: "2.6.0", cuda: "12.4", archs: "sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90" };
    const { deployed } = await deployWithPackages(up, alice, "torch", gradioWithTorch(torch));
    assert.equal(deployed.build?.code, "runtime/arch-mismatch");
    assert.match(deployed.says, /no code for RTX PRO 6000 \(stand-in\).*torch 2\.7 or later .* index cu128/);
  });

  test("Blackwell: a package beside torch is a warning, which the release, the build and the Space show", async () => {
    await node(of("RTX PRO 6000", "12.0"));
    const torch = { version: "2.8.0", cuda: "12.8", archs: "sm_90 sm_120" };
    const others = { name: "flash_attn", version: "2.6.3", archs: "sm_80 sm_90" };
    const app = await up.deploy(alice, "beside", gradioWithTorch(torch, others));
    assert.equal(app.deployed.ok, true, app.deployed.says);
    const warning = /flash-attn 2\.6\.3, compiled for sm_80 sm_90 has no code for RTX PRO 6000 \(stand-in\).*sm_120/;
    assert.match(await log(app), new RegExp(`^warning: ${warning.source}`, "m"));
    const { runtimeFacts } = await alice.client.space(app.space);
    assert.match(runtimeFacts?.warnings?.join() ?? "", warning);
    assert.deepEqual((await alice.client.build(app.deployed.build?.id ?? "")).runtimeFacts, runtimeFacts);
  });

  test("Blackwell, without torch: PTX that the driver does not know is refused", async () => {
    await node(of("RTX PRO 6000", "12.0"), "560.35.05");
    const kernels = { name: "kernels", version: "1.0", archs: "sm_90 compute_90", isa: "8.7" };
    const { deployed } = await up.deploy(alice, "ptx", gradioWithTorch(null, kernels));
    assert.equal(deployed.build?.code, "runtime/driver-too-old", deployed.says);
    assert.match(
      deployed.says,
      /has only PTX for RTX PRO 6000 .*does not know that PTX: update it to 570\.26 or later/,
    );
  });

  test("of a Streamlit app are compared too: refused where its script borrows a GPU, else a warning", async () => {
    await node(of("RTX PRO 6000", "12.0"));
    const torch = { version: "2.6.0", cuda: "12.4", archs: "sm_80 sm_90" };
    const script = (decorator: string): string =>
      `import streamlit as st\n\n${decorator}\ndef draw():\n    return 1\n\nst.write("well")\n`;
    const app = (decorator: string): Record<string, string | Uint8Array> => ({
      ...gradioWithTorch(torch),
      "README.md": '---\nsdk: streamlit\nsdk_version: 1.40.0\npython_version: "3.10"\n---\n',
      "app.py": script(decorator),
    });
    const plain = await up.deploy(alice, "page", app("@st.cache_data"));
    assert.equal(plain.deployed.ok, true, plain.deployed.says);
    const says = /torch 2\.6\.0, .* has no code for RTX PRO 6000 \(stand-in\).*index cu130/;
    assert.match(await log(plain), new RegExp(`^warning: ${says.source}.*a call for a GPU would be refused`, "m"));
    assert.match((await alice.client.space(plain.space)).runtimeFacts?.warnings?.join() ?? "", says);
    const { deployed } = await up.deploy(alice, "borrows", app("@spaces.GPU"));
    assert.equal(deployed.build?.code, "runtime/arch-mismatch", deployed.says);
    assert.match(deployed.says, says);
  });
});
