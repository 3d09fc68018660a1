"""As people write it: asks a Space by its name or address, with the token that is given, or the one that this machine has saved."""
import sys

from gradio_client import Client

space, api, *token = sys.argv[1:]
print(Client(space, token=token[0] if token else None, verbose=False).predict(21, api_name=api))
