from pathlib import Path
from threading import Lock

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

VERSION = 1
visits = Path("/data/visits")
lock = Lock()
app = FastAPI(title="Counter")


@app.get("/api/count")
def count() -> dict[str, int]:
    with lock:
        number = int(visits.read_text()) + 1 if visits.exists() else 1
        visits.write_text(str(number))
    return {"count": number, "version": VERSION}


@app.get("/", response_class=HTMLResponse)
def page() -> str:
    return f"<h1>You are visitor {count()['count']}</h1>"
