/** Who asks over TLS: by a name under localhost, with the authority that it trusts. */
import { request } from "node:https";
import { connect, type PeerCertificate } from "node:tls";
import { loopback } from "./loopback.ts";

export interface Got {
  readonly status: number;
  readonly text: string;
}

export function getBy(ca: string, url: string, headers: Readonly<Record<string, string>> = {}): Promise<Got> {
  return new Promise((done, reject) => {
    request(url, { ca, lookup: loopback, headers, agent: false }, (response) => {
      let text = "";
      response
        .setEncoding("utf8")
        .on("data", (part: string) => (text += part))
        .on("end", () => done({ status: response.statusCode ?? 0, text }));
    })
      .on("error", reject)
      .end();
  });
}

/** The certificate that is shown to who asks for that name. */
export function shownFor(port: number, servername: string): Promise<PeerCertificate> {
  return new Promise((done, reject) => {
    const socket = connect({ host: "127.0.0.1", port, servername, rejectUnauthorized: false }, () => {
      done(socket.getPeerCertificate());
      socket.destroy();
    });
    socket.on("error", reject);
  });
}
