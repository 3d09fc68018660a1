/** What parent and worker say to each other over the worker's IPC channel (structured cloning, so any such value passes). */
import type { Thrown } from "./errors.ts";

export interface RunMessage {
  readonly type: "run";
  readonly module: string;
  readonly name: string;
  readonly input: unknown;
  /** Present when this process is to be allowed first: a warm worker already was. */
  readonly allow: { readonly base: string; readonly cgroupFile: string; readonly token: string } | null;
}

export type ToWorker = RunMessage | { readonly type: "abort"; readonly why: string };

export type FromWorker =
  | { readonly type: "progress"; readonly value: unknown }
  | { readonly type: "returned"; readonly result: unknown }
  | { readonly type: "raised"; readonly error: Thrown }
  /** The function was never entered: its module did not load, or the platform did not allow this process. */
  | { readonly type: "not-started"; readonly error: Thrown };

/** The worker's third argument; how a process knows that it is one. Not in the environment, which its own children inherit. */
export const workerMark = "waybill-gpu-worker";
