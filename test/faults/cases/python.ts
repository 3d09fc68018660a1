/** Builds of Gradio Spaces that do not come to a running app. */
import type { Explanation } from "../../../src/evidence/verdict.ts";
import type { App } from "../../support/platform.ts";
import { proved, type FaultCase, type Injected } from "../case.ts";

const readme = (...settings: readonly string[]): string => `---\nsdk: gradio\n${settings.join("\n")}\n---\n`;
const version = "sdk_version: 6.31.0";
const python = "python_version: 3.10";
const app = { "app.py": "import gradio\n" };

export const pythonCases: readonly FaultCase[] = [
  {
    code: "build/no-builder",
    how: "a Python that the node does not have",
    on: "main",
    certainty: proved,
    inject: async ({ fresh }) =>
      failedBuild(await fresh({ ...app, "README.md": readme(version, "python_version: 3.99") })),
  },
  {
    code: "build/config-invalid",
    how: "an app_file that the commit does not have",
    on: "main",
    certainty: proved,
    inject: async ({ fresh }) =>
      failedBuild(await fresh({ "README.md": readme(version, python, "app_file: main.py") })),
  },
  {
    code: "build/config-invalid",
    how: "requirements.txt contradicts sdk_version",
    on: "main",
    needs: "gradio",
    certainty: proved,
    inject: async ({ fresh }) =>
      failedBuild(
        await fresh({ ...app, "README.md": readme(version, python), "requirements.txt": "numpy\ngradio<6\n" }),
        "requirements.txt line 2: gradio<6",
      ),
  },
  {
    code: "build/step-failed",
    how: "a requirement that no index has",
    on: "main",
    needs: "gradio",
    certainty: proved,
    inject: async ({ fresh }) =>
      failedBuild(
        await fresh({ ...app, "README.md": readme(version, python), "requirements.txt": "torch==9.9.9\n" }),
        "requirements.txt line 1: torch==9.9.9",
      ),
  },
];

/** The build; the evidence must hold `line`, which is what its author has to correct. */
function failedBuild({ deployed }: App, line?: string): Injected {
  if (!deployed.build || deployed.ok) throw new Error("it was built");
  const isSaid = ({ entries }: Explanation): boolean => line === undefined || JSON.stringify(entries).includes(line);
  return {
    id: deployed.build.id,
    also: (explanation) => (isSaid(explanation) ? undefined : `no entry says: ${line}`),
  };
}
