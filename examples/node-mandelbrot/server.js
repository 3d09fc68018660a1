// The app's web server: the page, the picture, and a stream that tells where a call stands.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { GpuRefused, GpuWorkerLost } from "waybill";
import { defaultCentre, hold, render } from "./render.js";

const port = Number(process.env.PORT ?? 7860);
const page = await readFile(new URL("page.html", import.meta.url));
const holdMaxSeconds = 110;
const zoomMax = 1e12;

const routes = {
  "/": sendPage,
  "/api/quote": sendQuote,
  "/api/render": sendPicture,
  "/api/render/stream": streamPicture,
  "/api/hold": sendHold,
};

const server = createServer((request, response) => {
  const url = new URL(request.url, "http://app");
  const route = routes[url.pathname];
  if (!route)
    return sendProblem(response, 404, { title: "Not found", detail: `This app has nothing at ${url.pathname}.` });
  if (!["GET", "HEAD", "POST"].includes(request.method)) {
    return sendProblem(response, 405, { title: "Method not allowed", detail: "Use GET or POST." });
  }
  request.resume(); // The arguments are in the query; a body is not looked at.
  route(request, response, url.searchParams).catch((error) => sendError(response, error));
});

server.listen(port, process.env.HOST ?? "127.0.0.1", () => console.log(`listening on port ${port}`));
process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeAllConnections();
});

async function sendPage(_request, response) {
  response.writeHead(200, { "content-type": "text/html; charset=utf-8", "cache-control": "no-cache" }).end(page);
}

async function sendQuote(request, response, query) {
  const quote = await render.quote(readView(query), { request, signal: whenGone(request, response) });
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(quote));
}

async function sendPicture(request, response, query) {
  const view = readView(query);
  const { result, call } = await logged(`render zoom=${view.zoom}`, () =>
    render.run(view, { request, signal: whenGone(request, response) }),
  );
  response
    .writeHead(200, { "content-type": "image/png", "content-length": result.length, ...callHeader(call) })
    .end(result);
}

async function streamPicture(request, response, query) {
  const view = readView(query);
  const send = startEvents(response);
  try {
    const { result, call } = await logged(`render zoom=${view.zoom}`, () =>
      render.run(view, {
        request,
        signal: whenGone(request, response),
        onWaiting: ({ position, of, estimateMs, says }) => send("waiting", { position, of, estimateMs, says }),
        onProgress: (progress) => send("progress", progress),
      }),
    );
    send("done", { call, picture: `data:image/png;base64,${Buffer.from(result).toString("base64")}` });
  } catch (error) {
    const problem = problemOf(error);
    send("failed", {
      sentence: problem.detail,
      code: error instanceof GpuRefused ? error.code : problem.code,
      call: error.call ?? null,
      problem,
    });
  }
  response.end();
}

async function sendHold(request, response, query) {
  const seconds = numberIn(query, "seconds", { otherwise: 5, least: 0.1, most: holdMaxSeconds });
  const { result, call } = await logged(`hold ${seconds} s`, () =>
    hold.run({ seconds }, { request, signal: whenGone(request, response), stopOnAbort: true }),
  );
  response
    .writeHead(200, { "content-type": "application/json", ...callHeader(call) })
    .end(JSON.stringify({ call, seconds, rounds: result.rounds }));
}

function readView(query) {
  return {
    zoom: numberIn(query, "zoom", { otherwise: 1, least: 1, most: zoomMax }),
    x: numberIn(query, "x", { otherwise: defaultCentre.x, least: -3, most: 3 }),
    y: numberIn(query, "y", { otherwise: defaultCentre.y, least: -3, most: 3 }),
  };
}

class WrongInput extends Error {}

function numberIn(query, name, { otherwise, least, most }) {
  const text = query.get(name);
  if (text === null || text === "") return otherwise;
  const value = Number(text);
  if (!(value >= least && value <= most))
    throw new WrongInput(`${name} is a number from ${least} to ${most}, not "${text}".`);
  return value;
}

/** Aborted when the visitor has closed the connection before the answer was whole. */
function whenGone(request, response) {
  const gone = new AbortController();
  response.on("close", () => {
    if (!response.writableFinished) gone.abort(new Error("the visitor left"));
  });
  return gone.signal;
}

/** One line in the app's log for each call, whatever became of it. */
async function logged(what, run) {
  const start = performance.now();
  const line = (call, end) =>
    console.log(`${what}: ${end}, ${Math.round(performance.now() - start)} ms${call ? `, call ${call}` : ""}`);
  try {
    const outcome = await run();
    line(outcome.call, "ok");
    return outcome;
  } catch (error) {
    line(error.call, `${error.name}: ${error.message}`);
    throw error;
  }
}

function startEvents(response) {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.flushHeaders();
  return (event, data) => response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

function sendError(response, error) {
  if (response.headersSent) return response.destroy(error);
  const problem = problemOf(error);
  const retry = error.retryAfter ? { "retry-after": String(Math.ceil(error.retryAfter)) } : {};
  sendProblem(response, problem.status, problem, { ...retry, ...callHeader(error.call) });
}

/** What the visitor is told: the platform's own words where it refused, a sentence of ours otherwise. */
function problemOf(error) {
  if (error instanceof GpuRefused) return error.problem;
  if (error instanceof WrongInput)
    return { status: 400, title: "Wrong input", code: "app/wrong-input", detail: error.message };
  if (error instanceof GpuWorkerLost)
    return { status: 502, title: "The drawing was cut off", code: error.code, detail: error.message };
  return {
    status: 500,
    title: "The drawing failed",
    code: "app/exception",
    detail: `The drawing failed: ${error.message}`,
  };
}

function sendProblem(response, status, problem, headers = {}) {
  response
    .writeHead(status, { "content-type": "application/problem+json", ...headers })
    .end(JSON.stringify({ type: "about:blank", status, ...problem }));
}

function callHeader(call) {
  return call ? { "x-gpu-call": call } : {};
}
