/** Every fault that is caused, and what it is called. */
import type { FaultCase } from "../case.ts";
import { buildCases } from "./build.ts";
import { cardCases } from "./cards.ts";
import { diskCases } from "./disk.ts";
import { egressCases } from "./egress.ts";
import { gpuCases } from "./gpu.ts";
import { gradioCases } from "./gradio.ts";
import { identityCases } from "./identity.ts";
import { imageCases } from "./images.ts";
import { lostCases } from "./lost.ts";
import { nodeCases } from "./nodes.ts";
import { pythonCases } from "./python.ts";
import { replicaCases } from "./replicas.ts";
import { routeCases } from "./route.ts";
import { signInCases } from "./sign-in.ts";
import { spaceCases } from "./spaces.ts";
import { tellCases } from "./tells.ts";
import { transferCases } from "./transfers.ts";

export const faults: readonly FaultCase[] = [
  ...gpuCases,
  ...cardCases,
  ...gradioCases,
  ...identityCases,
  ...signInCases,
  ...routeCases,
  ...tellCases,
  ...buildCases,
  ...pythonCases,
  ...imageCases,
  ...replicaCases,
  ...lostCases,
  ...nodeCases,
  ...spaceCases,
  ...egressCases,
  ...diskCases,
  ...transferCases,
];

export const nameOf = ({ code, how }: FaultCase): string => `${code}: ${how}`;
