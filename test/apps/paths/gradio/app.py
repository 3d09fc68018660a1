"""
A Space that is asked on every path there is, and asks another of its kind: who pays for `works` is what a test looks at.
"""
import os
import threading

os.environ["HF_ENDPOINT"] = os.environ["WAYBILL_URL"]

import gradio as gr
import spaces
from gradio_client import Client

OTHER = {"anna/front": "bert/back", "bert/back": "anna/front"}[os.environ["SPACE_ID"]]


@spaces.GPU(duration=5)
def works(x: float) -> float:
    """Doubles a number.

    Args:
        x: the number
    """
    return 2 * x


def asks(depth: float) -> float:
    """The other Space, which asks this one, until somebody works."""
    if depth == 0:
        return works(21)
    return Client(OTHER, verbose=False).predict(depth - 1, api_name="/asks")


def asks_with_a_token(depth: float) -> float:
    """As one whose owner gave it a token of its own."""
    return Client(OTHER, token=os.environ["OWN_TOKEN"], verbose=False).predict(depth - 1, api_name="/asks")


def asks_by_hand(depth: float) -> float:
    """By the other's address: nothing passes on who asks."""
    return Client(address_of(OTHER), verbose=False).predict(depth - 1, api_name="/asks")


def address_of(space):
    import httpx

    return httpx.get(f"{os.environ['WAYBILL_URL']}/api/spaces/{space}").json()["host"]


def elsewhere(work, *args):
    """In a thread, which knows of no request."""
    said = []

    def run():
        try:
            said.append(work(*args))
        except Exception as error:
            said.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(said[0], Exception):
        raise said[0]
    return said[0]


def works_elsewhere(x: float) -> float:
    return elsewhere(works, x)


def asks_elsewhere(depth: float) -> float:
    return elsewhere(asks, depth)


night, worked = threading.Event(), threading.Event()


def every_night():
    while True:
        night.wait()
        night.clear()
        works(21)
        worked.set()


def falls(x: float) -> float:
    """Night, long before this is answered."""
    worked.clear()
    night.set()
    worked.wait()
    return 2 * x


def token(_, request: gr.Request):
    return request.headers["x-ip-token"]


with gr.Blocks() as demo:
    x, said = gr.Number(label="x", value=21), gr.Textbox(label="said")
    for fn in (works, asks, asks_with_a_token, asks_by_hand, works_elsewhere, asks_elsewhere, falls, token):
        gr.Button(fn.__name__).click(fn, x, said, api_name=fn.__name__)
    gr.HTML(
        '<button class="serves">serves</button><p class="served"></p>',
        server_functions=[works],
        js_on_load="""
        element.querySelector(".serves").onclick = async () => {
            element.querySelector(".served").textContent = await server.works(21);
        };
        """,
    )

threading.Thread(target=every_night, daemon=True).start()

if __name__ == "__main__":
    demo.queue(default_concurrency_limit=None).launch(mcp_server=True)
