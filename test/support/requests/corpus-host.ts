/** Which Space is meant: `Host`, the request's target in its four forms, and what both say (RFC 9112 §3.2). */
import { get, octets, refused, served, shown } from "./cases.ts";
import type { RawCase } from "./judge.ts";

export function hostCases(host: string): RawCase[] {
  const asked = (target: string, lines = `Host: ${host}\r\n`, method = "GET", version = "1.1"): string =>
    `${method} ${target} HTTP/${version}\r\n${lines}\r\n`;
  const h = get("/h");

  const hosts = [
    ...[`Host: ${host.toUpperCase()}`, `HOST: ${host}`, `host: ${host}`, `Host:${host}`, `Host:\t ${host}\t `].map(
      (line) => served(`line ${shown(line)}`, asked("/h", `${line}\r\n`), h),
    ),
    ...[`${host}:80`, `${host}:65535`, `${host}:1`, `${host}:007`].map((value) =>
      served(`host ${shown(value)}`, asked("/h", `Host: ${value}\r\n`), h),
    ),
    ...[
      ...[
        "",
        " ",
        ".",
        "..",
        "-",
        "[",
        "]",
        "[]",
        "[::1",
        "::1",
        "a..b",
        "a.-b",
        "a-.b",
        `.${host}`,
        `${host}.`,
        `${host}..`,
      ],
      ...[
        `-${host}`,
        `${host}:`,
        `${host}:0`,
        `${host}:65536`,
        `${host}:x`,
        `${host}:-1`,
        `${host}:80:80`,
        `${host}:99999999`,
      ],
      ...[`${host}: 80`, `${host} :80`, `${host}:+80`, `${host}:0x50`, `${host}:80a`, `${host}:\xef\xbc\x98`],
      ...[
        `a@${host}`,
        `${host}@a`,
        `a:b@${host}`,
        `http://${host}`,
        `//${host}`,
        `/${host}`,
        `${host}/`,
        `${host}/path`,
      ],
      ...[`${host}?x`, `${host}#x`, `${host}\\x`, `${host}%00`, `${host}%2e`, `%61${host.slice(1)}`, `${host},${host}`],
      ...[`${host}, evil.localhost`, `evil.localhost ${host}`, `${host} evil.localhost`, `${host}\tevil.localhost`],
      ...[
        `"${host}"`,
        `'${host}'`,
        `(${host})`,
        `<${host}>`,
        "a".repeat(64),
        `${"a.".repeat(130)}a`,
        "a".repeat(5_000),
      ],
      ...[`[::1%lo]`, `[::1%25lo]`, `[v1.a]`, `[fe80::1]x`, "localhost;a", "xn--\xe9", "\xe9.localhost", "\xff"],
      ...octets(".-_:[]\t\n\r ").map((text) => `alice${text}demo.localhost`),
    ].map((value) => refused(`host ${shown(value)}`, asked("/h", `Host: ${value}\r\n`))),
    ...octets("\t ").map((text) => refused(`host ending in ${shown(text)}`, asked("/h", `Host: ${host}${text}\r\n`))),
  ].filter(({ name }, i, all) => all.findIndex((other) => other.name === name) === i);

  const lines = [
    refused("no host", asked("/h", "")),
    refused("no host in HTTP/1.0", asked("/h", "", "GET", "1.0")),
    refused("the same host twice", asked("/h", `Host: ${host}\r\nHost: ${host}\r\n`)),
    refused("two hosts", asked("/h", `Host: ${host}\r\nHost: localhost\r\n`)),
    refused("two hosts apart", asked("/h", `Host: localhost\r\nX: y\r\nhOsT: ${host}\r\n`)),
    refused("an empty host and another", asked("/h", `Host:\r\nHost: ${host}\r\n`)),
    refused("a folded host", asked("/h", `Host:\r\n ${host}\r\n`)),
    refused("a host with a fold", asked("/h", `Host: ${host}\r\n evil\r\n`)),
    refused("a fold before the host", asked("/h", ` X: y\r\nHost: ${host}\r\n`)),
    refused("Host and a space", asked("/h", `Host : ${host}\r\n`)),
    refused("Host and a tab", asked("/h", `Host\t: ${host}\r\n`)),
    refused("a space and Host", asked("/h", ` Host: ${host}\r\n`)),
    refused("a second host after LF", asked("/h", `Host: ${host}\nHost: localhost\r\n`)),
    refused("a second host after CR", asked("/h", `Host: ${host}\rHost: localhost\r\n`)),
    refused("a second host after CR CR LF", asked("/h", `Host: ${host}\r\r\nHost: localhost\r\n`)),
    refused("Host without a colon", asked("/h", `Host ${host}\r\n`)),
    ...["X-Forwarded-Host", "X-Host", "Forwarded", "X-Original-Host", "X-Forwarded-Server", "H_ost", "Host_"].map(
      (name) => served(`${name} beside the host`, asked("/h", `${name}: localhost\r\nHost: ${host}\r\n`), h),
    ),
  ];

  const targets = [
    ...[
      ["/a%20b", "/a%20b"],
      ["/%00", "/%00"],
      ["/a/../b", "/a/../b"],
      ["/..%2f..", "/..%2f.."],
      ["//evil.localhost/a", "//evil.localhost/a"],
      ["/?", "/?"],
      ["/a?b=c&d=http://e/", "/a?b=c&d=http://e/"],
      ["/a;b=c", "/a;b=c"],
      ["/@x", "/@x"],
      ["/\\x", "/\\x"],
      ['/"x"', '/"x"'],
      ["/{x}|y^z`", "/{x}|y^z`"],
      [`http://${host}/abs`, "/abs"],
      [`HTTP://${host.toUpperCase()}/abs?q`, "/abs?q"],
      [`http://${host}`, "/"],
      [`http://${host}?q`, "/?q"],
      [`http://${host}//x`, "//x"],
    ].map(([target = "", seen = ""]) => served(`target ${shown(target)}`, asked(target), get(seen))),
    ...[
      ...["http://localhost/", "http://evil.localhost/", `http://a@${host}/`, `http://${host}:80/`, `http://${host}./`],
      ...[
        `https://${host}/`,
        `ftp://${host}/`,
        `ws://${host}/`,
        "http:///",
        "http://",
        "http:/x",
        "http:x",
        "http://[::1]/",
      ],
      ...[
        `${host}:80`,
        host,
        "a",
        "a/b",
        "?q",
        "#",
        "*",
        "**",
        "/*#",
        "/a#b",
        "#/a",
        "\\",
        ":80",
        "javascript:1",
        "data:,x",
      ],
      ...[
        `http://${host}\\@localhost/`,
        `http://localhost\\@${host}/`,
        `http://${host}#@localhost/`,
        `http://${host}/#f`,
      ],
      ...["", "%2f", "\xe9", "/\xe9", "/caf\xc3\xa9", "/\xa0x", "/\x85x", "/a\xffb"],
    ].map((target) => refused(`target ${shown(target)}`, asked(target))),
    ...octets("!\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ")
      .filter((text) => !"\r\n".includes(text))
      .map((text) => refused(`target with ${shown(text)}`, asked(`/a${text}b`))),
    served("OPTIONS *", asked("*", undefined, "OPTIONS"), get("*", "OPTIONS")),
    served("OPTIONS of a path", asked("/o", undefined, "OPTIONS"), get("/o", "OPTIONS")),
    refused("POST *", asked("*", undefined, "POST")),
    refused("CONNECT an authority", asked(`${host}:443`, undefined, "CONNECT")),
    refused("CONNECT another's", asked("127.0.0.1:22", undefined, "CONNECT")),
    refused("CONNECT a path", asked("/h", undefined, "CONNECT")),
    refused("CONNECT with a body", asked(`${host}:80`, `Host: ${host}\r\nContent-Length: 5\r\n`, "CONNECT")),
    served("a target of 12,000 bytes", asked(`/${"a".repeat(12_000)}`), get(`/${"a".repeat(12_000)}`)),
    refused("a target of 20,000 bytes", asked(`/${"a".repeat(20_000)}`), 431),
  ];
  return [...hosts, ...lines, ...targets];
}
