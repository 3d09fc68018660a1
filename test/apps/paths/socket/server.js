// A WebSocket whose first message says what a GPU function gave. Written by hand, so that nothing has to be installed.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { works } from "./work.js";

const server = createServer((_request, response) => response.end("ok"));
server.on("upgrade", async (request, socket) => {
  const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash("sha1").update(key).digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  const said = await works.run(21, { request }).then(
    ({ result }) => String(result),
    (error) => error.message,
  );
  const text = Buffer.from(said).subarray(0, 125);
  socket.write(Buffer.concat([Buffer.from([0x81, text.length]), text]));
});
server.listen(Number(process.env.PORT));
