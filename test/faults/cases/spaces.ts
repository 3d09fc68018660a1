/** Spaces that do not come up, or down, in their time. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { killProcess, until, visit, type App } from "../../support/platform.ts";
import { versionedApp } from "../../support/versioned-app.ts";
import { seen } from "../answers.ts";
import { proved, type FaultCase, type Stage } from "../case.ts";

export const spaceCases: readonly FaultCase[] = [
  {
    code: "route/waking",
    how: "a request is held for less time than its Space takes to wake up",
    on: "sleepy",
    certainty: proved,
    async inject(stage) {
      const { app, marks } = await asleep(stage);
      writeFileSync(`${marks}/slow`, "");
      const { work, status } = await visit(`${app.url}/`, stage.alice);
      rmSync(`${marks}/slow`);
      await stage.alice.client.changeSpace(app.space, { "sleep-after": "never" });
      return seen({ work, status }, 503);
    },
  },
  {
    code: "route/boot-timeout",
    how: "SIGSTOP of the shim while its Space wakes up",
    on: "sleepy",
    certainty: proved,
    async inject(stage) {
      const { app, marks } = await asleep(stage);
      writeFileSync(`${marks}/silent`, "");
      const answer = visit(`${app.url}/`, stage.alice);
      const shim = await until("the shim has begun", async () => {
        const { replicas } = await stage.up.admin.space(app.space);
        const id = replicas.findLast(({ phase }) => phase === "starting")?.id;
        try {
          return id !== undefined && stage.up.replicaOf(id).shim;
        } catch {
          return false; // Its folder is not there yet.
        }
      });
      killProcess(shim, "SIGSTOP");
      await inState(stage, app, "failing");
      killProcess(shim);
      await answer;
      return { id: app.space };
    },
  },
  {
    code: "runtime/stop-timeout",
    how: "SIGSTOP of the shim of a Space that is paused",
    on: "sleepy",
    certainty: proved,
    async inject(stage) {
      const { app } = await versioned(stage);
      const { shim } = await stage.up.replica(app.space);
      killProcess(shim, "SIGSTOP");
      await stage.alice.client.pause(app.space);
      await inState(stage, app, "paused");
      killProcess(shim);
      return { id: app.space, also: ({ sentence }) => (/is paused since/.test(sentence) ? undefined : sentence) };
    },
  },
];

async function versioned({ up, fresh }: Stage): Promise<{ readonly app: App; readonly marks: string }> {
  const marks = mkdtempSync(`${up.folder}/marks-`);
  return { app: await fresh(versionedApp("1", marks)), marks };
}

async function asleep(stage: Stage): Promise<{ readonly app: App; readonly marks: string }> {
  const made = await versioned(stage);
  await stage.alice.client.changeSpace(made.app.space, { "sleep-after": "1s" });
  await inState(stage, made.app, "sleeping");
  return made;
}

/** The longest of its deadlines is 35 s. */
async function inState({ alice }: Stage, { space }: App, state: string): Promise<void> {
  const isThere = async (): Promise<boolean> => (await alice.client.space(space)).state === state;
  await until(`${space} is ${state}`, isThere).catch(async (error: unknown) => {
    throw new Error(`${String(error)}: ${JSON.stringify((await alice.client.spaceEvents(space)).items)}`);
  });
}
