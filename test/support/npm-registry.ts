/** A registry with one package, `many`, of as many files as are wanted: what npm asks for, without a network. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";

export interface NpmRegistry extends AsyncDisposable {
  readonly url: string;
  /** A lockfile that names it. */
  readonly lockfile: string;
  /** Requests for the package's file so far. */
  fetched(): number;
}

export async function npmRegistry(files: number): Promise<NpmRegistry> {
  const names = Array.from({ length: files }, (_, n) => `file-${n}.js`);
  const pack = gzipSync(
    tar([
      ["package/package.json", JSON.stringify({ name: "many", version: "1.0.0", main: "file-0.js" })],
      ...names.map((name, n) => [`package/${name}`, `module.exports = ${n};\n`] as const),
    ]),
  );
  const integrity = `sha512-${createHash("sha512").update(pack).digest("base64")}`;
  let count = 0;
  const server = createServer((request, response) => {
    const tarball = `${url}/many/-/many-1.0.0.tgz`;
    if (request.url === "/many")
      response.end(
        JSON.stringify({
          name: "many",
          "dist-tags": { latest: "1.0.0" },
          versions: { "1.0.0": { name: "many", version: "1.0.0", dist: { tarball, integrity } } },
        }),
      );
    else if (request.url?.endsWith(".tgz")) {
      count += 1;
      response.end(pack);
    } else response.writeHead(404).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    fetched: () => count,
    lockfile: JSON.stringify({
      name: "app",
      lockfileVersion: 3,
      requires: true,
      packages: {
        "": { name: "app", dependencies: { many: "1.0.0" } },
        "node_modules/many": { version: "1.0.0", resolved: `${url}/many/-/many-1.0.0.tgz`, integrity },
      },
    }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

/** A ustar archive (POSIX.1-2017, pax, "ustar Interchange Format") of small files. */
function tar(files: readonly (readonly [name: string, text: string])[]): Buffer {
  const blocks = files.flatMap(([name, text]) => {
    const head = Buffer.alloc(512);
    const size = Buffer.byteLength(text);
    head.write(name, 0);
    for (const [at, value] of [
      [100, "0000644"],
      [108, "0000000"],
      [116, "0000000"],
      [124, size.toString(8).padStart(11, "0")],
      [136, "00000000000"],
      [148, "        "],
      [156, "0"],
      [257, "ustar\u000000"],
    ] as const)
      head.write(value, at);
    const sum = head.reduce((total, byte) => total + byte, 0);
    head.write(`${sum.toString(8).padStart(6, "0")}\u0000 `, 148);
    const body = Buffer.alloc(Math.ceil(size / 512) * 512);
    body.write(text);
    return [head, body];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}
