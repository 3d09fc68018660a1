/** Recording apps as people write them: on node:http, on Python's http.server, and one that reads no body and answers HEAD as GET. */

/** `GET /__seen` gives, and forgets, what came since the last time, a line each as `recorder.ts` writes it. */
export const seenPath = "/__seen";

export const nodeApp = `
const http = require("node:http");
let seen = [];
http.createServer((request, response) => {
  if (request.url === "${seenPath}") { response.end(seen.join("\\n")); seen = []; return; }
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const hex = (text) => Buffer.from(text, "latin1").toString("hex");
    const text = request.method + " " + hex(request.url) + " " + Buffer.concat(parts).toString("hex");
    seen.push(text);
    response.setHeader("x-seen", text).setHeader("content-length", text.length).end(text);
  });
}).listen(process.env.PORT, "127.0.0.1");
`;

/** `careful`: it reads bodies by length and by chunks, and gives HEAD no body. */
export function pythonApp(careful: boolean): string {
  return `
import os, http.server
seen = []
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    def body(self):
        if not ${careful ? "True" : "False"}:
            return b""
        if self.headers.get("transfer-encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size)); self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionError("the visitor left")
        return body
    def answer(self):
        if self.path == "${seenPath}":
            text = "\\n".join(seen); seen.clear()
        else:
            hex = lambda text: text.encode("latin-1").hex()
            text = self.command + " " + hex(self.path) + " " + self.body().hex()
            seen.append(text)
        self.send_response(200)
        if "\\n" not in text: self.send_header("x-seen", text)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD" or not ${careful ? "True" : "False"}: self.wfile.write(text.encode())
    def __getattr__(self, name):
        if name.startswith("do_"): return self.answer
        raise AttributeError(name)
    def log_message(self, *arguments): pass
http.server.ThreadingHTTPServer.request_queue_size = 128
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
`;
}
