/** Dockerfiles that come to no image. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tinyLayer, writeArchive } from "../../support/images.ts";
import { proved, type FaultCase, type Stage } from "../case.ts";

/** Archives for a node: `localhost/tiny`, with a shell, and `localhost/other`, the same for another architecture. */
export class Archives implements Disposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(): Promise<Archives> {
    const made = new Archives(mkdtempSync(join(tmpdir(), "wb-archives-")));
    chmodSync(made.folder, 0o755);
    const layer = tinyLayer(made.folder);
    await writeArchive(join(made.folder, "tiny.tar"), { layer });
    await writeArchive(join(made.folder, "other.tar"), { layer, arch: process.arch === "arm64" ? "amd64" : "arm64" });
    return made;
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function built({ fresh }: Stage, dockerfile: string): Promise<{ id: string }> {
  const { deployed } = await fresh({ "README.md": "---\ntitle: Broken\nsdk: docker\n---\n", Dockerfile: dockerfile });
  if (!deployed.build || deployed.ok) throw new Error("there was no build, or it runs");
  return { id: deployed.build.id };
}

const common = { on: "boxed", certainty: proved, needs: "images" } as const;

export const imageCases: readonly FaultCase[] = [
  {
    ...common,
    code: "runtime/image-arch",
    how: "it begins with an image for another architecture",
    inject: (stage) => built(stage, 'FROM localhost/other\nCMD ["cat"]\n'),
  },
  {
    ...common,
    code: "build/base-missing",
    how: "the node has no archive of that name",
    inject: (stage) => built(stage, 'FROM localhost/nothing\nCMD ["cat"]\n'),
  },
  {
    ...common,
    code: "build/registry-unreachable",
    how: "the registry's name does not exist",
    inject: (stage) => built(stage, 'FROM registry.invalid/team/app:1\nCMD ["cat"]\n'),
  },
  {
    ...common,
    code: "build/step-failed",
    how: "a step of a Dockerfile fails",
    inject: (stage) => built(stage, "FROM localhost/tiny\nRUN cat /nothing\n"),
  },
];
