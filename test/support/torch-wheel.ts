/** A stand-in for torch's wheel: the two files that tell what it was compiled for, and nothing that runs. Needs a Python to pack it. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export interface StandInTorch {
  readonly version: string;
  readonly cuda: string | null;
  readonly archs: string;
}

/** A Gradio app with one GPU function, whose requirements name the stand-in. */
export function gradioWithTorch(torch: StandInTorch): Record<string, string | Uint8Array> {
  const wheel = `torch-${torch.version}-py3-none-any.whl`;
  return {
    // The fixture's own files are left out.
    "package.json": "",
    "server.js": "",
    "work.js": "",
    "README.md": '---\nsdk: gradio\nsdk_version: 6.31.0\npython_version: "3.10"\n---\n',
    "requirements.txt": `./${wheel}\n`,
    "app.py": [
      "import gradio as gr",
      "import spaces",
      "",
      "@spaces.GPU(duration=5)",
      "def draw(text):",
      "    return text",
      "",
      'gr.Interface(draw, "text", "text", api_name="draw").launch()',
      "",
    ].join("\n"),
    [wheel]: packed(torch),
  };
}

function packed({ version, cuda, archs }: StandInTorch): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), "wb-torch-"));
  const info = `torch-${version}.dist-info`;
  const files: Record<string, string> = {
    // An app that asks for it finds none, as where none is installed.
    "torch/__init__.py": 'raise ImportError("a stand-in: nothing runs on it")\n',
    "torch/version.py": `__version__ = '${version}'\ncuda = ${cuda === null ? "None" : `'${cuda}'`}\n`,
    "torch/lib/libtorch_python.so": `\u007fELF\0${archs}\0`,
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: torch\nVersion: ${version}\n`,
    [`${info}/WHEEL`]: "Wheel-Version: 1.0\nGenerator: stand-in\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
  };
  files[`${info}/RECORD`] = [...Object.keys(files), `${info}/RECORD`].map((name) => `${name},,\n`).join("");
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text, "latin1");
    }
    execFileSync("python3", ["-m", "zipfile", "-c", "wheel", "torch", info], { cwd: folder });
    return readFileSync(join(folder, "wheel"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
