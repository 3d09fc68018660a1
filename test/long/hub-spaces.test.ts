/** What `huggingface_hub` asks of Spaces, by the real package against a real platform. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { HubClient } from "../support/hub-client.ts";
import { needs } from "../support/needs.ts";
import { Platform, until, visit, type Account, type App } from "../support/platform.ts";

const { skip } = await needs("gradio");

/** As Python's `SpaceRuntime` has it. */
interface Runtime {
  readonly stage: string;
  readonly hardware: string | null;
  readonly requested_hardware: string | null;
  readonly sleep_time: number | null;
}

const shown =
  'shown = lambda r: print(json.dumps({"stage": r.stage, "hardware": r.hardware, "requested_hardware": r.requested_hardware, "sleep_time": r.sleep_time}))';

describe("huggingface_hub's HfApi", { skip }, () => {
  let up: Platform;
  let alice: Account;
  let app: App;
  let hub: HubClient;
  before(async () => {
    hub = await HubClient.make();
    up = await Platform.start({ gpus: "1x1" });
    alice = await up.account("alice");
    app = await up.deploy(alice, "app");
    assert.equal(app.deployed.ok, true, app.deployed.says);
  });
  after(async () => {
    hub[Symbol.dispose]();
    await up[Symbol.asyncDispose]();
  });

  const ask = (call: string, who = alice.token) =>
    hub.ask({ url: up.url, token: who }, `${shown}\nshown(api.${call})`) as Promise<Runtime>;
  const stage = async (): Promise<string> => (await ask(`get_space_runtime("${app.space}")`)).stage;
  const becomes = (wanted: string) => until(`the stage is ${wanted}`, async () => (await stage()) === wanted);

  test("reads a Space's runtime: stage, hardware and sleep time", async () => {
    assert.deepEqual(await ask(`get_space_runtime("${app.space}")`), {
      stage: "RUNNING",
      hardware: "zero-a10g",
      requested_hardware: "zero-a10g",
      sleep_time: null,
    });
  });

  test("pauses a Space, and restarts it", async () => {
    assert.equal((await ask(`pause_space("${app.space}")`)).stage, "PAUSED");
    await becomes("PAUSED");
    assert.equal((await ask(`restart_space("${app.space}")`)).stage, "APP_STARTING");
    await becomes("RUNNING");
    assert.ok(
      ["RUNNING_BUILDING", "RUNNING_APP_STARTING"].includes(
        (await ask(`restart_space("${app.space}", factory_reboot=True)`)).stage,
      ),
    );
    await becomes("RUNNING");
  });

  test("hears the platform's reason where it may not", async () => {
    await up.admin.pause(app.space, { reason: "too hot" });
    await assert.rejects(ask(`restart_space("${app.space}")`), /403[^]*too hot\. Only the operator can lift that/);
    await up.admin.resume(app.space);
    await becomes("RUNNING");
  });

  test("sets the sleep time, sees the Space asleep, and the next request wakes it", async () => {
    assert.equal((await ask(`set_space_sleep_time("${app.space}", sleep_time=1)`)).sleep_time, 1);
    await becomes("SLEEPING");
    assert.equal((await visit(`${app.url}/pid`, alice)).status, 200);
    assert.equal((await ask(`set_space_sleep_time("${app.space}", sleep_time=-1)`)).sleep_time, null);
    // On a slow machine it is asleep again by now.
    assert.equal((await visit(`${app.url}/pid`, alice)).status, 200);
  });

  test("chooses hardware of the list, and hears of what is not in it", async () => {
    await becomes("RUNNING");
    const names = (await hub.ask(
      { url: up.url, token: alice.token },
      'from huggingface_hub.utils import get_session, build_hf_headers\nr = get_session().get(api.endpoint + "/api/spaces/hardware", headers=build_hf_headers())\nprint(json.dumps([h["name"] for h in r.json()]))',
    )) as string[];
    assert.deepEqual(names, ["cpu-basic", "zero-a10g"]);
    const chosen = await ask(`request_space_hardware("${app.space}", hardware="cpu-basic", sleep_time=3600)`);
    assert.deepEqual([chosen.requested_hardware, chosen.sleep_time], ["cpu-basic", 3600]);
    await assert.rejects(
      ask(`request_space_hardware("${app.space}", hardware="a100-large")`),
      /no hardware "a100-large"|no hardware \\"a100-large\\"/,
    );
  });
});
