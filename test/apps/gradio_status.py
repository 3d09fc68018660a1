"""
Gradio's Python client, as a person who asks it how far a job is. Prints {"connected": true} and calls once a line has come on standard
input. Then prints each status that differs from the one before, as JSON, and at last the result:
{"code": "IN_QUEUE", "rank": 0, "queue_size": 1, "eta": 12.0}, {"result": "drawn"} or {"error": "..."}.
"""
import json
import sys
from concurrent.futures import wait

from gradio_client import Client

url, token, api, x = sys.argv[1:5]
named = "token" if "token" in Client.__init__.__annotations__ else "hf_token"
client = Client(url, **{named: token}, verbose=False)
print(json.dumps({"connected": True}), flush=True)
sys.stdin.readline()
job = client.submit(float(x), api_name=api)
last = None
while True:
    done = job.done()
    status = job.status()
    told = {"code": status.code.name, "rank": status.rank, "queue_size": status.queue_size, "eta": status.eta}
    if told != last:
        print(json.dumps(told), flush=True)
        last = told
    if done:
        break
    wait([job.future], timeout=0.02)
try:
    print(json.dumps({"result": job.result()}), flush=True)
except Exception as error:
    print(json.dumps({"error": str(error)}), flush=True)
