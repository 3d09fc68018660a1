"""Every way in which a decorated function can begin, run and end. It knows nothing of the platform that it runs on."""
import ctypes
import os
import signal
import socket
import tempfile
import threading
import time
from urllib.parse import urlsplit

import gradio as gr
import spaces

MARKS = os.path.join(tempfile.gettempdir(), "marks")


@spaces.GPU
def plain(x):
    return f"plain {x:g}"


@spaces.GPU(duration=10)
def progress(x, progress=gr.Progress()):
    for step in range(4):
        progress((step, 4), desc=f"step {step}")
        time.sleep(0.05)
    return f"progress {x:g}"


def needed(x):
    return int(x) + 5


@spaces.GPU(duration=needed)
def dynamic(x):
    return f"dynamic {x:g}"


@spaces.GPU(duration=20, size="xlarge")
def whole_card(x):
    return f"whole card {x:g}"


@spaces.GPU(duration=10)
def count(x):
    for n in range(int(x)):
        time.sleep(0.05)
        yield f"count {n}"


@spaces.GPU(duration=10)
def count_and_fail(x):
    for n in range(int(x)):
        time.sleep(0.05)
        yield f"count {n}"
    raise ValueError("it fails midway")


@spaces.GPU(duration=10)
def raises(x):
    raise ValueError("a secret detail")


@spaces.GPU(duration=10)
def raises_for_visitors(x):
    raise gr.Error("No picture of that size")


@spaces.GPU(duration=10)
def exits(x):
    os._exit(int(x))


@spaces.GPU(duration=10)
def crashes(x):
    ctypes.string_at(0)


@spaces.GPU(duration=10)
def aborts(x):
    os.abort()


@spaces.GPU(duration=10)
def is_killed(x):
    os.kill(os.getpid(), signal.SIGKILL)


@spaces.GPU(duration=2)
def overstays(x):
    """Runs for x seconds, and marks each moment at which it lives."""
    began = time.monotonic()
    with open(MARKS, "w") as marks:
        while time.monotonic() < began + x:
            marks.write(f"{time.monotonic() - began}\n")
            marks.flush()
            time.sleep(0.01)
    return "overstayed"


@spaces.GPU(duration=2)
def counts_too_long(x):
    for n in range(int(x * 10)):
        yield f"count {n}"
        time.sleep(0.1)


@spaces.GPU(duration=10)
def takes(anything):
    return "taken"


def gives_a_lock(x):
    return takes(threading.Lock())


@spaces.GPU(duration=10)
def returns_a_lock(x):
    return threading.Lock()


@spaces.GPU(duration=10)
def without_context(x):
    return f"without context {x:g}"


def from_a_thread(x):
    said = []
    thread = threading.Thread(target=lambda: said.append(without_context(x)))
    thread.start()
    thread.join()
    return said[0]


@spaces.GPU(duration=10)
def leaves_a_daemon(x):
    """A process that is nobody's child any more, of another session, with nothing of its parent but its memory of it."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvp("sleep", ["sleep", f"{x:g}"])
        os._exit(0)
    os.wait()
    return "left"


@spaces.GPU(duration=10)
def worker(x):
    return str(os.getpid())


@spaces.GPU(duration=10)
def other_worker(x):
    return str(os.getpid())


@spaces.GPU(duration=3_600)
def too_long(x):
    return "never"


@spaces.GPU(duration=280)
def greedy(x):
    time.sleep(x)
    return "greedy"


@spaces.GPU(duration=60)
def holds(x):
    time.sleep(x)
    return f"held {x:g}"


@spaces.GPU(duration=60)
def one_at_a_time(x):
    time.sleep(x)
    return f"held {x:g}"


def nothing(x):
    """No GPU at all."""
    return "nothing"


def marks(x):
    """How long `overstays` lived, by its own clock."""
    with open(MARKS) as marks:
        return marks.read().split("\n")[-2]


def drops_streams(x):
    """Breaks this process's connections to the Device API; says how many there were."""
    port = urlsplit(os.environ["SPACES_ZERO_DEVICE_API_URL"]).port
    broken = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            with socket.socket(fileno=os.dup(int(name))) as copy:
                if copy.family == socket.AF_INET and copy.getpeername()[1] == port:
                    copy.shutdown(socket.SHUT_RDWR)
                    broken += 1
        except OSError:
            pass  # no socket, or not connected
    return str(broken)


def surroundings(x):
    """What the app sees of where it runs; fails where packed tensors could not be written and read past the page cache."""
    with open(os.environ["ZEROGPU_PROC_SELF_CGROUP_PATH"]) as file:
        cgroup = file.read()
    offload = os.environ["ZEROGPU_OFFLOAD_DIR"]
    with tempfile.NamedTemporaryFile(dir=offload) as file:
        file.write(b"packed")
        direct = os.open(file.name, os.O_RDONLY | os.O_DIRECT)
        os.close(direct)
    names = "SPACES_ZERO_GPU SYSTEM SPACE_ID SPACE_HOST SPACE_AUTHOR_NAME SPACE_REPO_NAME SPACE_TITLE SPACE_CREATOR_USER_ID GRADIO_SERVER_NAME GRADIO_SERVER_PORT GRADIO_ANALYTICS_ENABLED"
    return {
        **{name: os.environ.get(name) for name in names.split()},
        "cgroup": cgroup,
        "driver": os.path.isdir("/proc/driver/nvidia/gpus") and os.listdir("/proc/driver/nvidia/gpus"),
        "device": os.environ["SPACES_ZERO_DEVICE_API_URL"],
    }


WITH_A_QUEUE_OF_ITS_OWN = [
    plain, progress, dynamic, whole_card, count, count_and_fail, raises, raises_for_visitors, exits, crashes, aborts,
    is_killed, overstays, counts_too_long, gives_a_lock, returns_a_lock, from_a_thread, leaves_a_daemon, worker,
    other_worker, too_long, greedy, holds, nothing, marks, drops_streams,
]

with gr.Blocks(title="Every kind") as demo:
    x = gr.Number(value=3, label="x")
    said = gr.Textbox(label="said")
    seen = gr.JSON(label="seen", visible=False)
    for function in WITH_A_QUEUE_OF_ITS_OWN:
        button = gr.Button(function.__name__)
        button.click(function, x, said, api_name=function.__name__, concurrency_limit=None)
    gr.Button("one_at_a_time").click(one_at_a_time, x, said, api_name="one_at_a_time")
    gr.Button("surroundings").click(surroundings, x, seen, api_name="surroundings")

if __name__ == "__main__":
    demo.launch()
