"""Throws dice: a FastAPI program with a Gradio page in it, whose function borrows a GPU."""
import os
from collections import deque

import gradio as gr
import numpy as np
import spaces
import uvicorn
from fastapi import FastAPI

app = FastAPI(title="Dice")
history: deque[dict] = deque(maxlen=20)


@spaces.GPU(duration=5)
def throw(dice: int, times: int) -> list[int]:
    """How often each sum came up."""
    sums = np.random.default_rng().integers(1, 7, size=(times, dice)).sum(axis=1)
    return np.bincount(sums, minlength=6 * dice + 1)[dice:].tolist()


def show(dice: float, times: float):
    counts = throw(int(dice), int(times))
    history.append({"dice": int(dice), "times": int(times), "most": int(dice) + int(np.argmax(counts))})
    return {str(int(dice) + i): count / times for i, count in enumerate(counts)}


@app.get("/api/health")
def health():
    return {"ok": True}


@app.get("/api/history")
def last_throws():
    return list(history)


with gr.Blocks(title="Dice") as page:
    gr.Markdown("# Dice\nHow likely is each sum? Throw and see.")
    with gr.Row():
        dice = gr.Slider(1, 6, value=2, step=1, label="Dice")
        times = gr.Slider(100, 1_000_000, value=10_000, step=100, label="Throws")
    sums = gr.Label(label="Sum", num_top_classes=8)
    gr.Button("Throw", variant="primary").click(show, [dice, times], sums, api_name="throw")

app = gr.mount_gradio_app(app, page, path="/")

if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=int(os.environ.get("PORT", 7860)))
