"""Draws the Mandelbrot set row by row on a GPU that is borrowed for as long as the drawing takes."""
import gradio as gr
import numpy as np
import spaces

WIDTH, HEIGHT, BAND = 320, 240, 24


def seconds(zoom: float, iterations: int, progress=None) -> int:
    """What the drawing may take at most: longer for more iterations. Called with the arguments of the function that it is for."""
    return 10 + int(iterations) // 50


@spaces.GPU(duration=seconds)
def draw(zoom: float, iterations: int, progress=gr.Progress()):
    picture = np.zeros((HEIGHT, WIDTH), dtype=np.float64)
    x = np.linspace(-2.5, 1.0, WIDTH) / zoom - 0.75 * (1 - 1 / zoom)
    y = np.linspace(-1.2, 1.2, HEIGHT) / zoom
    for top in range(0, HEIGHT, BAND):
        c = x[np.newaxis, :] + 1j * y[top : top + BAND, np.newaxis]
        z = np.zeros_like(c)
        steps = np.zeros(c.shape)
        for _ in range(int(iterations)):
            inside = np.abs(z) <= 2
            z[inside] = z[inside] ** 2 + c[inside]
            steps += inside
        picture[top : top + BAND] = steps / iterations
        progress((top + BAND) / HEIGHT, desc="drawing")
        yield (255 * (1 - picture)).astype(np.uint8)


demo = gr.Interface(
    draw,
    inputs=[gr.Slider(1, 50, value=1, label="Zoom"), gr.Slider(10, 500, value=60, step=10, label="Iterations")],
    outputs=gr.Image(label="Picture"),
    title="Mandelbrot",
    api_name="draw",
)

if __name__ == "__main__":
    demo.launch()
