/** The platforms that the cases run on, each made afresh for a pass. */
import { Platform } from "../support/platform.ts";
import type { UpOptions } from "../support/platform.ts";
import { StandInSmi } from "../support/nvidia-smi.ts";
import type { Account, App } from "../support/platform.ts";
import type { Stage, StageName } from "./case.ts";
import { boxedEnv } from "./cases/egress.ts";
import { Archives } from "./cases/images.ts";
import { Doors } from "./cases/sign-in.ts";

const stages: Readonly<Record<StageName, UpOptions>> = {
  main: { env: { WAYBILL_HEALTH_SECONDS: "1" } },
  kills: {},
  // Long enough for what shall succeed there on a slow machine.
  tight: {
    gpus: "1x1",
    env: {
      WAYBILL_BUILD_SECONDS: "24",
      WAYBILL_BUILD_QUEUE_SECONDS: "3",
      WAYBILL_RESPONSE_SECONDS: "3",
      WAYBILL_LFS_REPOSITORY_MB: "30",
      WAYBILL_TRANSFER_PATIENCE_SECONDS: "3",
    },
  },
  bare: {
    gpus: null,
    env: {
      WAYBILL_BUILDS_WAITING_OWNER: "1",
      WAYBILL_BUILD_DISK_MB: "256",
      // Of addresses that a proxy tells; this machine's own has no limit.
      WAYBILL_TRUSTED_PROXIES: "127.0.0.1",
      WAYBILL_ADDRESS_REQUESTS_PER_SECOND: "1",
    },
  },
  cards: { gpus: null },
  sleepy: { gpus: null, env: { WAYBILL_WAKE_SECONDS: "1" } },
  boxed: { sandbox: "bubblewrap", env: boxedEnv },
  doors: { gpus: null },
};

/** Three platforms at a time, for about as long: what one waits for, the others work in. */
export const lanes: readonly (readonly StageName[])[] = [
  ["main"],
  ["kills", "tight", "bare", "doors"],
  ["sleepy", "cards", "boxed"],
];

export interface Made {
  readonly stage: Stage;
  /** Who makes noise, and in whose app. */
  readonly loud: Account;
  readonly noisy: App;
}

/** `images`: whether it can build any. */
export async function withStage(name: StageName, images: boolean, use: (made: Made) => Promise<void>): Promise<void> {
  using smi = new StandInSmi();
  const cards = {
    WAYBILL_NVIDIA_SMI: smi.command,
    WAYBILL_CARDS_SECONDS: "1",
    WAYBILL_CARD_SLOTS: "2",
    WAYBILL_KERNEL_LOG: smi.kernelLog,
  };
  using archives = name === "boxed" && images ? await Archives.make() : null;
  await using doors = await Doors.open();
  const { env = {}, ...options } = stages[name];
  const own = {
    ...(name === "cards" ? cards : {}),
    ...(archives === null ? {} : { WAYBILL_IMAGES: archives.folder }),
    ...(name === "doors" ? doors.env : {}),
  };
  await using up = await Platform.start({ ...options, env: { ...env, ...own } });
  const alice = await up.account("alice");
  const crowd = await up.account("crowd", "unlimited");
  const loud = await up.account("loud", "unlimited");
  const app = await up.deploy(alice, "fixture");
  const noisy = await up.deploy(loud, "noise");
  for (const { space, deployed } of [app, noisy])
    if (!deployed.ok) throw new Error(`${space} does not run: ${deployed.says}`);
  let made = 0;
  const fresh: Stage["fresh"] = (files, onEvent) => up.deploy(alice, `fresh${++made}`, files, onEvent);
  await use({ stage: { up, smi, doors, alice, crowd, app, fresh }, loud, noisy });
}
