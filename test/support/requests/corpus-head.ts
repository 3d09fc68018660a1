/** The request line and the header lines: what ends them, what may stand in them, and what is nobody else's to send (RFC 9112 §3, §5). */
import { closed, controls, get, octets, post, refused, served, shown, unended } from "./cases.ts";
import type { RawCase } from "./judge.ts";

export function headCases(host: string): RawCase[] {
  const rest = `\r\nHost: ${host}\r\n\r\n`;
  const l = get("/l");

  const requestLines = [
    served("an empty line before", `\r\nGET /l HTTP/1.1${rest}`, l),
    // RFC 9112 §2.2, §3 let a server be so lenient; what the app gets is written anew.
    served("an LF before the line", `\nGET /l HTTP/1.1${rest}`, l),
    served("a CR before the line", `\rGET /l HTTP/1.1${rest}`, l),
    ...["GET  /l HTTP/1.1", "GET /l  HTTP/1.1"].map((line) => served(`line ${shown(line)}`, line + rest, l)),
    // The parser takes another protocol's name for HTTP's; they are answered as HTTP/1.0.
    closed("RTSP's name", `GET /l RTSP/1.0${rest}`, l),
    closed("RTSP's method", `DESCRIBE /l RTSP/1.0${rest}`, get("/l", "DESCRIBE")),
    closed("ICE's method", `SOURCE /l ICE/1.0${rest}`, get("/l", "SOURCE")),
    served("three empty lines before", `\r\n\r\n\r\nGET /l HTTP/1.1${rest}`, l),
    ...["M-SEARCH", "PROPFIND", "PUT", "DELETE", "PATCH", "OPTIONS", "QUERY", "PURGE", "LINK"].map((method) =>
      served(`method ${method}`, `${method} /l HTTP/1.1${rest}`, get("/l", method)),
    ),
    ...[
      ...[" GET /l HTTP/1.1", "\tGET /l HTTP/1.1", "GET\t/l HTTP/1.1", "GET /l\tHTTP/1.1"],
      ...[
        "GET /l HTTP/1.1 ",
        "GET /l HTTP/1.1\t",
        "GET /l",
        "GET /l ",
        "GET",
        "GET ",
        "",
        "/l HTTP/1.1",
        "GET/l HTTP/1.1",
      ],
      ...["GET /l HTTP/1.1 HTTP/1.1", "GET /l x HTTP/1.1", "GET /l HTTP/1.1x", "GET /l HTTP/1.10", "GET /l HTTP/1.01"],
      ...[
        "GET /l HTTP/0.9",
        "GET /l HTTP/1.2",
        "GET /l HTTP/2.0",
        "GET /l HTTP/3.0",
        "GET /l HTTP/9.9",
        "GET /l HTTP/1",
      ],
      ...[
        "GET /l HTTP/11",
        "GET /l HTTP/1.",
        "GET /l HTTP/.1",
        "GET /l HTTP/1,1",
        "GET /l HTTP/a.b",
        "GET /l HTTP/-1.1",
      ],
      ...[
        "GET /l http/1.1",
        "GET /l Http/1.1",
        "GET /l HTTPS/1.1",
        "GET /l HTTP 1.1",
        "GET /l HTTP\\1.1",
        "GET /l HTTP//1.1",
      ],
      ...["GET /l ICE/1.0", "GET /l SIP/2.0", "GET /l XTTP/1.1"],
      ...[
        "get /l HTTP/1.1",
        "Get /l HTTP/1.1",
        "gET /l HTTP/1.1",
        "G ET /l HTTP/1.1",
        "GET\0 /l HTTP/1.1",
        "FOO /l HTTP/1.1",
      ],
      ...["GETT /l HTTP/1.1", "GE /l HTTP/1.1", "\xffGET /l HTTP/1.1", "GET@ /l HTTP/1.1", "G(ET /l HTTP/1.1"],
      ...["PRI * HTTP/2.0", "DESCRIBE /l HTTP/1.1", "ANNOUNCE /l HTTP/1.1", "SETUP /l HTTP/1.1", "HTTP/1.1 200 OK"],
      ...[
        `${"A".repeat(300)} /l HTTP/1.1`,
        "GET /l HTTP/1.1\0",
        "GET /l HTTP/1.1\xa0",
        "GET /l\x0bHTTP/1.1",
        "GET /l\xa0HTTP/1.1",
      ],
      ...[
        "GET /l HTTP/1.1\rX: y",
        "GET /l HTTP/1.1\nX: y",
        "GET /l\r\n HTTP/1.1",
        "GET \r\n/l HTTP/1.1",
        "GET /l HTTP/1.1\r",
      ],
    ].map((line) => refused(`line ${shown(line)}`, line + rest)),
    refused("a line that ends in LF", `GET /l HTTP/1.1\nHost: ${host}\r\n\r\n`),
    refused("all lines end in LF", `GET /l HTTP/1.1\nHost: ${host}\n\n`),
    refused("all lines end in CR", `GET /l HTTP/1.1\rHost: ${host}\r\r`),
    refused("a header line that ends in LF", `GET /l HTTP/1.1\r\nHost: ${host}\nX: y\r\n\r\n`),
    refused("a header line that ends in CR", `GET /l HTTP/1.1\r\nHost: ${host}\rX: y\r\n\r\n`),
    refused("an end that is LF LF", `GET /l HTTP/1.1\r\nHost: ${host}\n\n`),
    refused("an end that is CR LF LF", `GET /l HTTP/1.1\r\nHost: ${host}\r\n\n`),
    refused("an end that is CR LF CR", `GET /l HTTP/1.1\r\nHost: ${host}\r\n\rGET /x`),
    refused("the beginning of TLS", "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"),
    refused("the preface of HTTP/2 with a Host", `PRI * HTTP/2.0${rest}SM\r\n\r\n`),
    refused("a PROXY line", `PROXY TCP4 6.6.6.6 127.0.0.1 1 2\r\nGET /l HTTP/1.1${rest}`),
    refused("zeros", "\0".repeat(100)),
    unended("half a head", `GET /l HTTP/1.1\r\nHost: ${host}\r\nX-Open: `),
  ].filter(({ name }) => name !== 'line ""');

  const field = (line: string): string => `GET /l HTTP/1.1\r\nHost: ${host}\r\n${line}\r\nX-Last: 1\r\n\r\n`;
  const inName = "!#$%&'*+.^_`|~-";
  const fields = [
    ...octets("\r\n:").map((text) => {
      const line = `X${text}Y: z`;
      return inName.includes(text)
        ? served(`name ${shown(`X${text}Y`)}`, field(line), l)
        : refused(`name ${shown(`X${text}Y`)}`, field(line));
    }),
    ...octets().map((text) => {
      const line = `X: a${text}b`;
      const fine = text === "\t" || (text >= " " && text !== "\x7f");
      return fine ? served(`value ${shown(text)}`, field(line), l) : refused(`value ${shown(text)}`, field(line));
    }),
    ...[
      "X",
      "X y",
      ":",
      ": y",
      " : y",
      "=x",
      " X: y",
      "\tX: y",
      " ",
      "\t",
      "X: y\r\n folded",
      "X: y\r\n\tfolded",
      "X:\r\n y",
    ].map((line) => refused(`field ${shown(line)}`, field(line))),
    ...[
      "X:",
      "X: ",
      "X:y",
      "X: y z",
      "X: y, z",
      "X::y",
      "X: y:z",
      `X: "y\\"`,
      "X: %0d%0aHost: evil",
      "X: \\r\\nHost: evil",
    ].map((line) => served(`field ${shown(line)}`, field(line), l)),
    refused("a header line of 17,000 bytes", field(`X: ${"y".repeat(17_000)}`), 431),
    refused("a name of 17,000 bytes", field(`${"X".repeat(17_000)}: y`), 431),
    refused("three thousand header lines", field("X: y\r\n".repeat(3_000).slice(0, -2)), 431),
    refused("three hundred header lines", field("X: y\r\n".repeat(300).slice(0, -2)), 431),
    served("two hundred header lines", field("X: y\r\n".repeat(200).slice(0, -2)), l),
  ];

  const secrets = [
    "Authorization",
    "Cookie",
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "X-IP-Token",
    "X-Forwarded-For",
  ];
  const more = ["X-Waybill-Id", "Forwarded", "Via", "CDN-Loop", "Proxy-Status", "Content-Type", "Origin", "Range"];
  const connection = [
    ...[...secrets, ...more].flatMap((name) => [
      refused(`Connection: close, ${name}`, field(`Connection: close, ${name}`)),
      refused(
        `Connection: ${name.toUpperCase()}`,
        field(`${name === "Host" ? "X" : name}: 1\r\nConnection: ${name.toUpperCase()}`),
      ),
      refused(`Connection twice, then ${name}`, field(`Connection: keep-alive\r\nConnection:x ,${name}`)),
    ]),
    served("Connection: X-Custom", field("X-Custom: 1\r\nConnection: X-Custom"), l),
    served("Connection: ,,", field("Connection: ,,"), l),
    ...controls("\t").map((text) => refused(`Connection: ${shown(text)}`, field(`Connection: a${text}`))),
  ];

  const owned = [
    ...[
      "X-IP-Token",
      "X-Waybill-Id",
      "X-Waybill-Anything",
      "Proxy-Status",
      "Via",
      "CDN-Loop",
      "Forwarded",
      "X-Forwarded-For",
    ],
    ...[
      "X-Forwarded-Host",
      "X-Forwarded-Proto",
      "X-Forwarded-Port",
      "X-Forwarded-Prefix",
      "X-Forwarded-Scheme",
      "X-Real-IP",
    ],
    ...["X-Original-URL", "X-Rewrite-URL", "X-Request-Id", "True-Client-IP", "Client-IP", "X-Client-IP", "traceparent"],
    ...[
      "X_IP_Token",
      "x_forwarded_for",
      "X_Waybill_Id",
      "HTTP_HOST",
      "Content_Length",
      "X-Forwarded_Host",
      "Proxy_Status",
    ],
  ].map((name) => served(`${name} of a visitor`, field(`${name}: forged`), l));
  return [
    ...requestLines,
    ...fields,
    ...connection,
    ...owned,
    refused("X-IP-Token twice", field("X-IP-Token: a\r\nX-IP-Token: b")),
    refused("Authorization twice", field("Authorization: Basic YTpi\r\nAuthorization: Basic YTpj")),
    served(
      "POST with an underscored length",
      `POST /l HTTP/1.1\r\nHost: ${host}\r\nContent_Length: 50\r\nContent-Length: 5\r\n\r\nhello`,
      post("/l", "hello"),
    ),
  ];
}
