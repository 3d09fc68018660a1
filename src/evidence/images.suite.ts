/** Records of builds that came to no image: cases of `explain.test.ts`. */
import type { Facts } from "./entry.ts";
import * as a from "./waybill.suite.ts";
import type { WorkRecord } from "./work-record.ts";

const failedStep = (code: string, facts: Facts): WorkRecord =>
  a.takenBuild([a.by("builder-n1", "build.step", "failed", { code, ...facts })]);

export const imageCases: readonly { readonly record: WorkRecord; readonly code: string; readonly sentence: RegExp }[] =
  [
    {
      code: "build/base-missing",
      record: failedStep("build/base-missing", { step: "base", says: "this node has no image localhost/x" }),
      sentence: /^An image that the Dockerfile begins with does not exist or may not be read\. This node has no image/,
    },
    {
      code: "build/registry-unreachable",
      record: failedStep("build/registry-unreachable", { step: "base", says: "image x could not be fetched" }),
      sentence: /^The registry of an image that the Dockerfile begins with could not be reached\. Image x could not/,
    },
    {
      code: "runtime/image-arch",
      record: failedStep("runtime/image-arch", {
        step: "base",
        says: "it is for linux/arm64, this node is linux/amd64",
      }),
      sentence: /^The image was made for another architecture than the node's\. It is for linux\/arm64/,
    },
  ];
