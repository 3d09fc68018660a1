"""Makes a postcard of a picture that another Space draws."""
import os

if "WAYBILL_URL" in os.environ:
    # Spaces are looked up by their ids at the platform on which this one runs; elsewhere at the Hub.
    os.environ["HF_ENDPOINT"] = os.environ["WAYBILL_URL"]

import gradio as gr
from gradio_client import Client
from PIL import Image, ImageDraw, ImageFont, ImageOps

PAINTER = os.environ.get("PAINTER", "demo/mandelbrot")


def postcard(greeting: str, zoom: float):
    # A client for each visitor: it passes on who they are, and the painter's GPU time is theirs.
    painter = Client(PAINTER, verbose=False)
    drawn = painter.predict(zoom, 60, api_name="/draw")
    picture = ImageOps.colorize(Image.open(drawn).convert("L"), "#f4e9d0", "#0b2545", mid="#13a89e")
    card = ImageOps.expand(picture.resize((640, 480)), border=24, fill="white")
    font = ImageFont.load_default(size=40)
    ImageDraw.Draw(card).text((48, 430), greeting, font=font, fill="white", stroke_width=2, stroke_fill="#0b2545")
    return card


demo = gr.Interface(
    postcard,
    inputs=[
        gr.Textbox("Greetings from the edge of the set", label="Greeting", max_length=40),
        gr.Slider(1, 50, value=1, label="Zoom"),
    ],
    outputs=gr.Image(label="Postcard"),
    title="Postcard",
    description=f"The picture is drawn by {PAINTER}.",
    api_name="postcard",
    flagging_mode="never",
)

if __name__ == "__main__":
    demo.launch()
