/** What a wheel was compiled for, against the pool's cards: said at the build, and before a call is charged. The cards and the wheels are stand-ins. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Client } from "@gradio/client";
import { callsOf, newestCall } from "./support/calls.ts";
import { needs } from "./support/needs.ts";
import { StandInSmi, h100 } from "./support/nvidia-smi.ts";
import { Platform, until, type Account, type App } from "./support/platform.ts";
import { deployWithPackages } from "./support/run.ts";
import { gradioWithTorch, type StandInTorch } from "./support/torch-wheel.ts";

const { skip } = await needs("gradio");
const fits: StandInTorch = { version: "2.1.2", cuda: "12.1", archs: "sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90" };

describe("a torch and the pool's cards", { skip }, () => {
  const smi = new StandInSmi({ driver: "535.104.05", cards: [h100(0), h100(1)] });
  let up: Platform;
  let alice: Account;
  let app: App;
  before(async () => {
    up = await Platform.start({ gpus: null, env: { WAYBILL_NVIDIA_SMI: smi.command } });
    alice = await up.account("alice");
    app = await deploy("fits", fits);
    assert.equal(app.deployed.ok, true, `${app.deployed.says}\n${await log(app)}`);
  });
  after(async () => {
    await up[Symbol.asyncDispose]();
    smi[Symbol.dispose]();
  });

  const deploy = (name: string, torch: StandInTorch): Promise<App> =>
    deployWithPackages(up, alice, name, gradioWithTorch(torch));
  const log = async ({ deployed }: App): Promise<string> => {
    const lines: string[] = [];
    for await (const { text } of up.admin.buildLog(deployed.build?.id ?? "")) lines.push(text);
    return lines.join("\n");
  };
  const draw = async (): Promise<unknown> => {
    const client = await Client.connect(app.url, { token: alice.token as `hf_${string}` });
    return client.predict("/draw", ["a"]).catch((error: unknown) => error);
  };

  test("that fit: the log says for what it was compiled and on how many cards it may run, and calls run", async () => {
    assert.match(await log(app), /torch 2\.1\.2, CUDA 12\.1, compiled for sm_50 .* sm_90: it may run on 2 of 2 cards/);
    const before_ = await callsOf(alice);
    await draw();
    assert.equal((await newestCall(alice, "ended", before_)).outcome, "ok");
  });

  test("without code for them: the build ends in its check, and names wheel, card, and what would do", async () => {
    const { deployed, space } = await deploy("arch", { version: "2.9.0", cuda: "12.8", archs: "sm_100 sm_120" });
    assert.deepEqual([deployed.ok, deployed.build?.code], [false, "runtime/arch-mismatch"]);
    assert.match(
      deployed.says,
      /torch 2\.9\.0, CUDA 12\.8, compiled for sm_100 sm_120 has no code for NVIDIA H100 \(stand-in\)/,
    );
    assert.match(deployed.says, /name torch 2\.7 or later of PyTorch's index cu128, which runs there$/);
    assert.deepEqual(
      deployed.build?.steps.filter(({ state }) => state === "failed").map(({ name }) => name),
      ["check"],
    );
    assert.equal((await up.admin.space(space)).release, null);
    const verdict = await until(
      "its evidence is there",
      async () => (await alice.client.explain(deployed.build?.id ?? "")).verdict,
    );
    assert.deepEqual([verdict.owner, verdict.certainty], ["app", "proved"]);
  });

  test("that fitted when it was built: after a change of the node a call is refused before anything is held", async () => {
    smi.set({ driver: "470.182.03", cards: [h100(0), h100(1)] });
    await up.restart();
    await until("the Space runs again", async () => (await up.admin.space(app.space)).state === "running");
    const { usedMs } = await alice.client.quota();
    const before_ = await callsOf(alice);
    const refused = await draw();
    const call = await newestCall(alice, "ended", before_);
    assert.deepEqual(
      [call.outcome, call.code, call.heldMs, call.chargedMs],
      ["refused", "runtime/driver-too-old", 0, 0],
      String(refused),
    );
    assert.equal((await alice.client.quota()).usedMs, usedMs);
    const verdict = await until("its evidence is there", async () => (await alice.client.explain(call.id)).verdict);
    assert.match(
      verdict?.sentence ?? "",
      /needs a driver of 525\.60\.13 or later.*is 470\.182\.03.*Nothing was charged\.$/,
    );
    assert.deepEqual([verdict?.owner, verdict?.certainty], ["platform", "proved"]);
  });
});
