"""Filters a picture on a borrowed GPU slot and shows it beside the original."""
import gradio as gr
import numpy as np
import spaces
from PIL import Image, ImageFilter

LARGEST = 1600


def sketch(picture: Image.Image, strength: float) -> Image.Image:
    """Pencil on paper: the grey picture divided by its own blurred shadow."""
    grey = np.asarray(picture.convert("L"), dtype=np.float32)
    blurred = Image.fromarray(grey.astype(np.uint8)).filter(ImageFilter.GaussianBlur(4 + 12 * strength))
    paper = np.clip(255 * grey / np.maximum(np.asarray(blurred, dtype=np.float32), 1), 0, 255)
    return Image.fromarray(paper.astype(np.uint8)).convert("RGB")


def film(picture: Image.Image, strength: float) -> Image.Image:
    """Old film: warm colours, darker corners, a little grain."""
    pixels = np.asarray(picture, dtype=np.float32) / 255
    height, width, _ = pixels.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    corners = 1 - 0.5 * strength * (x**2 + y**2)[..., np.newaxis] / 2
    grain = np.random.default_rng(1).normal(0, 0.05 * strength, (height, width, 1))
    warm = pixels * (1 + strength * np.array([0.15, 0.02, -0.2])) * corners + grain
    return Image.fromarray((255 * np.clip(warm, 0, 1)).astype(np.uint8))


def glow(picture: Image.Image, strength: float) -> Image.Image:
    """Soft light: the picture and its blur, multiplied as two slides on top of each other are."""
    soft = picture.filter(ImageFilter.GaussianBlur(2 + 20 * strength))
    dark = (255 - np.asarray(picture, dtype=np.float32)) * (255 - np.asarray(soft, dtype=np.float32)) / 255
    return Image.fromarray((255 - dark).astype(np.uint8))


FILTERS = {"Pencil sketch": sketch, "Warm film": film, "Glow": glow}


@spaces.GPU(duration=10)
def apply(picture: Image.Image, name: str, strength: float):
    if picture is None:
        raise gr.Error("Choose a picture first.")
    before = picture.convert("RGB")
    before.thumbnail((LARGEST, LARGEST))
    return before, FILTERS[name](before, strength)


def sunset(width: int = 480, height: int = 320) -> Image.Image:
    """A picture to begin with: the sun over the sea."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    sky = np.stack([0.35 + 0.6 * y, 0.25 + 0.4 * y, 0.5 - 0.15 * y], axis=-1)
    sun = np.clip(6 - 60 * np.hypot((x - 0.6) * width / height, y - 0.48), 0, 1)[..., np.newaxis]
    picture = sky * (1 - sun) + sun * np.array([1.0, 0.9, 0.6])
    waves = 0.75 + 0.15 * np.sin(60 * y**2 + 4 * np.sin(9 * x))
    picture = np.where((y > 0.62)[..., np.newaxis], picture[::-1] * waves[..., np.newaxis] * [0.7, 0.8, 1.0], picture)
    return Image.fromarray((255 * np.clip(picture, 0, 1)).astype(np.uint8))


demo = gr.Interface(
    apply,
    inputs=[
        gr.Image(value=sunset(), type="pil", label="Picture"),
        gr.Radio(list(FILTERS), value="Pencil sketch", label="Filter"),
        gr.Slider(0, 1, value=0.5, label="Strength"),
    ],
    outputs=gr.ImageSlider(label="Before and after"),
    title="Image filter",
    api_name="apply",
    flagging_mode="never",
)

if __name__ == "__main__":
    demo.launch()
