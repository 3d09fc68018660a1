/**
 * Node's `http` for processes of which there are many. An `import` of a built-in module reads everything that it exports, and one of
 * these loads a WebSocket client and HTTP/2: 6 MB that nobody here uses.
 */
export const { createServer, get } = process.getBuiltinModule("node:http");
