/** Stand-ins for wheels with code for cards: the files that tell what they were compiled for, and nothing that runs. Needs a Python to pack them. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { libraryBytes } from "../../src/build/cuda/library.suite.ts";

export interface StandInTorch {
  readonly version: string;
  readonly cuda: string | null;
  readonly archs: string;
}

/** A package with one shared object, whose headers are real. */
export interface StandInWheel {
  readonly name: string;
  readonly version: string;
  readonly archs: string;
  readonly isa?: string;
}

/** A Gradio app with one GPU function, whose requirements name the stand-ins. */
export function gradioWithTorch(
  torch: StandInTorch | null,
  ...others: readonly StandInWheel[]
): Record<string, string | Uint8Array> {
  const wheels = [...(torch ? [packedTorch(torch)] : []), ...others.map(packedOther)];
  return {
    // The fixture's own files are left out.
    "package.json": "",
    "server.js": "",
    "work.js": "",
    "README.md": '---\nsdk: gradio\nsdk_version: 6.31.0\npython_version: "3.10"\n---\n',
    "requirements.txt": wheels.map(([file]) => `./${file}\n`).join(""),
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
    ...Object.fromEntries(wheels),
  };
}

function packedTorch({ version, cuda, archs }: StandInTorch): readonly [file: string, wheel: Uint8Array] {
  return packed("torch", version, {
    // An app that asks for it finds none, as where none is installed.
    "torch/__init__.py": 'raise ImportError("a stand-in: nothing runs on it")\n',
    "torch/version.py": `__version__ = '${version}'\ncuda = ${cuda === null ? "None" : `'${cuda}'`}\n`,
    "torch/lib/libtorch_python.so": `\u007fELF\0${archs}\0`,
  });
}

function packedOther({ name, version, archs, isa }: StandInWheel): readonly [file: string, wheel: Uint8Array] {
  const library = libraryBytes({ containers: [archs.split(" ")], ...(isa === undefined ? {} : { isa }) });
  return packed(name, version, { [`${name}/__init__.py`]: "", [`${name}/_C.so`]: library });
}

function packed(
  name: string,
  version: string,
  content: Readonly<Record<string, string | Uint8Array>>,
): readonly [file: string, wheel: Uint8Array] {
  const folder = mkdtempSync(join(tmpdir(), "wb-wheel-"));
  const info = `${name}-${version}.dist-info`;
  const files: Record<string, string | Uint8Array> = {
    ...content,
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`,
    [`${info}/WHEEL`]: "Wheel-Version: 1.0\nGenerator: stand-in\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
  };
  files[`${info}/RECORD`] = [...Object.keys(files), `${info}/RECORD`].map((one) => `${one},,\n`).join("");
  try {
    for (const [one, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, one)), { recursive: true });
      writeFileSync(join(folder, one), text, "latin1");
    }
    execFileSync("python3", ["-m", "zipfile", "-c", "wheel", name, info], { cwd: folder });
    return [`${name}-${version}-py3-none-any.whl`, readFileSync(join(folder, "wheel"))];
  } finally {
    rmSync(folder, { recursive: true });
  }
}
