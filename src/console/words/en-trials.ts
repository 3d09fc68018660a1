/** What is said of settings that are tried on the record, in English. */

export const trialsEn = {
  tryIt: (name: string) => `Try ${name} on the record`,
  from: "Calls from",
  to: "and before",
  run: "Try it",
  runs: "The calls are replayed twice; it takes some seconds.",
  nothingOther: "Set something otherwise than it is: only that is tried.",
  nothingIsChanged: "Tried; nothing was changed.",
  outcome: "What came of it",
  recorded: (served: string, calls: string, gpu: string) =>
    `In the record ${served} of ${calls} calls had a GPU, for ${gpu}. Replayed, as settings are → as they would be:`,
  leftOut: (calls: number) =>
    calls === 1
      ? "1 call of a node that is there no more is left out."
      : `${calls} calls of nodes that are there no more are left out.`,
  all: "all",
  columns: ["Had a GPU", "Refused", "GPU time", "Half waited at most", "19 of 20 waited at most", "Clipped"],
  beforeAfter: (before: string, after: string) => `${before} → ${after}`,
  newlyRefused: "Refused that had a GPU:",
  newlyServed: "With a GPU that was refused:",
  noAccount: "No account would have had anything else.",
  accounts: "Accounts that change most",
  limits: "What the replay does not know",
};
