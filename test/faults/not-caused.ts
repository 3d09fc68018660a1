/** Codes that no case causes, each with its reason. A code that is in neither list fails the run. */
import type { Code } from "../../src/evidence/codes.ts";

const apiItself =
  "an answer of the platform's own API, which is no work with a waybill; test/platform.test.ts makes it";

const moved =
  "it takes a disk without room, one that fails, or dozens of files on their way; test/transfers.test.ts makes it with limits of its own";

const requestKey =
  "an answer of the platform's own API, which is no work with a waybill; src/control/request-keys.test.ts makes it";

export const notCaused: Partial<Readonly<Record<Code, string>>> = {
  "transfer/busy": moved,
  "transfer/too-much-at-once": moved,
  "transfer/disk-full": moved,
  "transfer/failed": moved,
  "runtime/sandbox-denied": "the platform does not start where no sandbox can be made; test/sandbox.test.ts shows it",
  "egress/gateway-down":
    "said in the app's own log while the gateway is away, and by nobody else: there is no work with an id",
  "control/invalid": apiItself,
  "control/not-found": apiItself,
  "control/conflict": apiItself,
  "control/changed-meanwhile": apiItself,
  "control/other-version": "a refusal to join, which is no work with a waybill; test/agents-join.test.ts makes it",
  "control/paused":
    "an answer of the platform's own API, which is no work with a waybill; test/long/space-states.test.ts makes it",
  "control/key-in-use": requestKey,
  "control/key-reused": requestKey,
  "control/answer-lost": requestKey,
  "control/too-many-keys": requestKey,
  "control/failed": "a bug of the platform's own: none is known that could be caused",
};
