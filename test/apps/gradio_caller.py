"""
Gradio's Python client behind a pipe. Reads one call a line from standard input, runs each in a thread of its own, and writes what
comes of it: {"call": 1, "updates": [...]}, with "result" or "error". The client is made once for each (url, token, headers).
"""
import json
import sys
import threading

from gradio_client import Client

clients = {}
making = threading.Lock()
writing = threading.Lock()


def client_of(url, token, headers):
    key = json.dumps([url, token, headers])
    with making:
        if key not in clients:
            named = "token" if "token" in Client.__init__.__annotations__ else "hf_token"
            clients[key] = Client(url, **{named: token or False}, headers=headers, verbose=False)
        return clients[key]


def run(asked):
    told = {"call": asked["call"]}
    try:
        client = client_of(asked["url"], asked.get("token"), asked.get("headers"))
        job = client.submit(*asked["args"], api_name=asked["api"])
        told["updates"] = list(job)
        told["result"] = job.result()
    except Exception as error:
        told["error"] = str(error)
        told["kind"] = type(error).__name__
    with writing:
        print(json.dumps(told), flush=True)


for line in sys.stdin:
    threading.Thread(target=run, args=[json.loads(line)], daemon=True).start()
