/** Gated repositories by the Hub's API: who gets files, who asks and how, what is decided, and what nobody gets around. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { repoName } from "../hub/repo-name.ts";
import { createChecked } from "./described/checked.suite.ts";
import { commitOf, file, Hub, missing, says, type Asked } from "./hub.suite.ts";

const refused = [403, "GatedRepo", "string"];
const gate = "/api/models/alice/tiny";
const ask = `${gate}/user-access-request`;

async function gated(mode: "auto" | "manual" = "manual", readme?: string): Promise<Hub> {
  const hub = await Hub.open();
  await hub.model("tiny");
  await hub.world.catalog.accounts.create({
    name: "carol",
    tier: "free",
    role: "user",
    createdAt: hub.world.clock.wall(),
  });
  await hub.commit(gate, [file("w.bin", "bytes"), ...(readme === undefined ? [] : [file("README.md", readme)])]);
  const set = await hub.ask(`PUT ${gate}/settings`, { gated: mode });
  assert.deepEqual(set.body, { private: false, visibility: "public", gated: mode });
  return hub;
}

const names = ({ body }: Asked): readonly string[] => body.map(({ user }: { user: { user: string } }) => user.user);
const list = async (hub: Hub, status: string): Promise<readonly string[]> =>
  names(await hub.ask(`GET ${ask}/${status}`));
const check = async (hub: Hub, by: string | null): Promise<readonly unknown[]> =>
  says(await hub.ask(`GET ${gate}/auth-check`, undefined, by));
const open = [200, null, "no error"];

describe("a gated repository", () => {
  test("is known to all, and lists tell it from others; its files are for its owner alone until somebody has access", async () => {
    await using hub = await gated();
    for (const by of [null, "bob"]) {
      const info = await hub.ask(`GET ${gate}`, undefined, by);
      assert.deepEqual([info.status, info.body.gated], [200, "manual"]);
      for (const path of ["/tree/main", "/refs", "/commits/main", "/revision/main"])
        assert.equal((await hub.ask(`GET ${gate}${path}`, undefined, by)).status, 200, path);
    }
    await hub.model("plain");
    const listed = async (query: string) =>
      (await hub.ask(`GET /api/models?${query}`, undefined, null)).body.map(
        ({ name, id }: { name: string; id: string }) => name ?? id,
      );
    assert.deepEqual(
      [await listed("gated=true"), await listed("gated=False"), (await listed("")).length],
      [["alice/tiny"], ["alice/plain"], 2],
    );
    const readers: readonly (readonly [by: string | null, answer: readonly unknown[]])[] = [
      [null, [401, "GatedRepo", "string"]],
      ["bob", refused],
      ["alice", open],
      [await hub.world.token("admin", ["read", "write", "admin"]), open],
      // A token that may not read anything of its owner's.
      [await hub.world.token("alice", ["gpu"]), refused],
    ];
    for (const [by, answer] of readers) {
      assert.deepEqual(await check(hub, by), answer);
      const token = await hub.ask(`GET ${gate}/xet-read-token/main`, undefined, by);
      assert.deepEqual(says(token), answer === open ? [404, null, "string"] : answer, "this platform has no Xet");
    }
    assert.match((await hub.ask(`GET ${gate}/auth-check`, undefined, "bob")).body.next, /waybill access ask/);
  });

  test("that is asked for waits for its owner, who gives it, takes it back and turns it down; each counts from the answer on", async () => {
    await using hub = await gated();
    const asked = await hub.ask(`POST ${ask}`, undefined, "bob");
    assert.deepEqual([asked.status, asked.body.status, asked.body.gated], [200, "pending", "manual"]);
    assert.deepEqual(await check(hub, "bob"), refused);
    // As it was asked first, however often.
    assert.equal((await hub.ask(`POST ${ask}`, {}, "bob")).body.timestamp, asked.body.timestamp);
    const [entry] = (await hub.ask(`GET ${ask}/pending`)).body;
    assert.deepEqual(entry, {
      requestId: asked.body.requestId,
      user: { _id: "bob", user: "bob", fullname: "bob", avatarUrl: "", isPro: false, type: "user" },
      status: "pending",
      timestamp: asked.body.timestamp,
    });
    const handle = (body: object, by?: string) => hub.ask(`POST ${ask}/handle`, body, by);
    assert.equal((await handle({ user: "bob", status: "accepted" })).status, 200);
    assert.deepEqual(
      [await check(hub, "bob"), await list(hub, "accepted"), await list(hub, "pending")],
      [open, ["bob"], []],
    );
    const again = await handle({ user: "bob", status: "accepted" });
    assert.deepEqual([again.status, again.headers.get("x-error-code")], [404, null]);
    assert.equal((await handle({ requestId: entry.requestId, status: "pending" })).status, 200);
    assert.deepEqual([await check(hub, "bob"), await list(hub, "pending")], [refused, ["bob"]]);
    const turned = await handle({ user: "bob", status: "rejected", rejectionReason: "Not you." });
    assert.equal(turned.status, 200);
    assert.deepEqual(await list(hub, "rejected"), ["bob"]);
    const own = (await hub.ask(`GET ${ask}`, undefined, "bob")).body;
    assert.deepEqual([own.status, own.rejectionReason, own.form], ["rejected", "Not you.", null]);
    assert.match((await hub.ask(`GET ${gate}/auth-check`, undefined, "bob")).body.error, /turned down: Not you\.$/);
    for (const line of [`POST ${ask}`, `DELETE ${ask}`])
      assert.equal((await hub.ask(line, undefined, "bob")).status, 409, "who was turned down stays so");
    assert.equal((await handle({ user: "carol", status: "accepted" })).status, 404);
  });

  test("is opened to whom its owner gives access, asked or not; not twice, to no organisation and to nobody who is not there", async () => {
    await using hub = await gated();
    await hub.world.server.organisations.create({ name: "acme", tier: "pro", admin: "carol", by: "admin" });
    const grant = (user: unknown, by?: string) => hub.ask(`POST ${ask}/grant`, { user }, by);
    assert.equal((await grant("bob")).status, 200);
    assert.deepEqual(await check(hub, "bob"), open);
    const statuses = [];
    for (const user of ["bob", "acme", "nobody", "", 7, "x".repeat(65)]) statuses.push((await grant(user)).status);
    assert.deepEqual(statuses, [400, 400, 404, 400, 400, 400]);
    const [entry] = (await hub.ask(`GET ${ask}/accepted`)).body;
    assert.deepEqual([entry.user.user, entry.decided.by, entry.fields], ["bob", "alice", undefined]);
    assert.equal((await hub.ask(`DELETE ${ask}`, undefined, "bob")).body.status, "none");
    assert.deepEqual([await check(hub, "bob"), await list(hub, "accepted")], [refused, []]);
    assert.equal((await hub.ask(`DELETE ${ask}`, undefined, "bob")).status, 404);
  });

  test("that lets everybody in who asks does so at once; what waited from before is let in when it asks again", async () => {
    await using hub = await gated();
    const carol = await hub.world.token("carol", ["read", "write"]);
    assert.equal((await hub.ask(`POST ${ask}`, undefined, carol)).body.status, "pending");
    await hub.ask(`PUT ${gate}/settings`, { gated: "auto" });
    assert.equal((await hub.ask(`POST ${ask}`, undefined, "bob")).body.status, "accepted");
    assert.deepEqual([await check(hub, "bob"), await check(hub, carol)], [open, refused]);
    assert.equal((await hub.ask(`POST ${ask}`, undefined, carol)).body.status, "accepted");
    const [first] = (await hub.ask(`GET ${ask}/accepted`)).body;
    assert.equal(first.decided.by, null, "nobody had to decide");
    // Access outlives that it is not needed for a while.
    await hub.ask(`PUT ${gate}/settings`, { gated: false });
    assert.deepEqual(await check(hub, null), open);
    assert.equal((await hub.ask(`POST ${ask}`, undefined, "bob")).status, 400, "nothing is to be asked");
    assert.equal((await hub.ask(`GET ${ask}/accepted`)).status, 400);
    await hub.ask(`PUT ${gate}/settings`, { gated: "manual" });
    assert.deepEqual([await check(hub, "bob"), await check(hub, null)], [open, [401, "GatedRepo", "string"]]);
  });

  test("goes by how it is gated when a request is taken, not when it was sent", async () => {
    await using hub = await gated("auto");
    const { gates } = hub.world;
    const found = hub.world.hubRepos.find(repoName("models", "alice", "tiny"));
    assert.ok(found);
    await hub.ask(`PUT ${gate}/settings`, { gated: "manual" });
    const done = await gates.ask(found, "bob", {});
    assert.deepEqual([done.ok && done.row.status, await check(hub, "bob")], ["pending", refused]);
    await hub.ask("DELETE /api/repos/delete", { name: "tiny", type: "model" });
    assert.equal((await gates.ask(found, "carol", {})).ok, false);
    assert.equal(await hub.world.catalog.accessRequests.count(found.stored), 0);
  });

  test("of an organisation is read by those who may write to it; other members ask as all do", async () => {
    await using hub = await gated();
    const { organisations } = hub.world.server;
    await organisations.create({ name: "acme", tier: "pro", admin: "alice", by: "admin" });
    await organisations.add("acme", { account: "bob", role: "read", by: "alice" });
    const moved = { fromRepo: "alice/tiny", toRepo: "acme/tiny", type: "model" };
    assert.equal((await hub.ask("POST /api/repos/move", moved)).status, 200);
    const of = async (by: string) => (await hub.ask("GET /api/models/acme/tiny/auth-check", undefined, by)).status;
    assert.deepEqual([await of("alice"), await of("bob")], [200, 403]);
    const decides = async () =>
      (await hub.ask("GET /api/models/acme/tiny/user-access-request/pending", undefined, "bob")).status;
    assert.equal(await decides(), 403);
    await organisations.setRole("acme", "bob", "write");
    assert.deepEqual([await of("bob"), await decides()], [200, 200]);
    await organisations.remove("acme", "bob");
    assert.deepEqual([await of("bob"), await decides()], [403, 403]);
  });

  test("keeps who has access when it is renamed, forgets them when it is deleted, and after a restart knows them still", async () => {
    await using hub = await gated();
    await hub.ask(`POST ${ask}/grant`, { user: "bob" });
    await hub.ask("POST /api/repos/move", { fromRepo: "alice/tiny", toRepo: "alice/other", type: "model" });
    const of = async (name: string) =>
      (await hub.ask(`GET /api/models/alice/${name}/auth-check`, undefined, "bob")).status;
    assert.equal(await of("other"), 200);
    // What takes over reads what was written down.
    const stored = hub.world.hubRepos.stored()[0] ?? "";
    hub.world.gates.forget(stored);
    assert.equal(await of("other"), 403);
    await hub.world.gates.recover();
    assert.equal(await of("other"), 200);
    await hub.ask("DELETE /api/repos/delete", { name: "other", type: "model" });
    assert.deepEqual([await hub.world.catalog.accessRequests.accepted(), await of("other")], [[], 404]);
    await hub.model("other");
    await hub.ask("PUT /api/models/alice/other/settings", { gated: "auto" });
    assert.equal(await of("other"), 403);
  });

  test("is copied by those who have its files, into one that is gated as it is and lets nobody in whom it let in", async () => {
    await using hub = await gated("auto");
    const copy = (by: string) => hub.ask(`POST ${gate}/duplicate`, { repository: "bob/copy" }, by);
    assert.deepEqual(says(await copy("bob")), refused);
    assert.equal((await hub.ask("GET /api/models/bob/copy", undefined, "bob")).status, 404);
    const carol = await hub.world.token("carol", ["read", "write"]);
    for (const by of ["bob", carol]) await hub.ask(`POST ${ask}`, undefined, by);
    assert.equal((await copy("bob")).status, 200);
    assert.equal((await hub.ask("GET /api/models/bob/copy", undefined, null)).body.gated, "auto");
    const of = async (by: string) => says(await hub.ask("GET /api/models/bob/copy/auth-check", undefined, by));
    assert.deepEqual([await of("bob"), await of(carol)], [open, refused]);
  });

  test("that is private too is to all who may not read it as one that is missing, by each way to ask", async () => {
    await using hub = await gated();
    await hub.ask(`POST ${ask}/grant`, { user: "bob" });
    await hub.ask(`PUT ${gate}/settings`, { private: true });
    const lines: readonly (readonly [string, object?])[] = [
      ["GET NAME/auth-check"],
      ["GET NAME/xet-read-token/main"],
      ["GET NAME/user-access-request"],
      ["POST NAME/user-access-request", {}],
      ["DELETE NAME/user-access-request"],
      ["POST NAME/duplicate", { repository: "bob/copy" }],
      ["GET NAME/user-access-request/pending"],
      ["POST NAME/user-access-request/handle", { user: "bob", status: "pending" }],
      ["POST NAME/user-access-request/grant", { user: "carol" }],
    ];
    for (const by of [null, "bob"])
      for (const [line, body] of lines) {
        const of = (name: string) => hub.ask(line.replace("NAME", `/api/models/alice/${name}`), body, by);
        const [hidden, unmade] = [await of("tiny"), await of("unmade")];
        assert.deepEqual(
          [...says(hidden), hidden.body.error],
          [...says(unmade), unmade.body.error.replace("unmade", "tiny")],
          line,
        );
        if (by === "bob" && !/pending|handle|grant/.test(line)) assert.deepEqual(says(hidden), missing, line);
      }
    const pages = async (name: string) => says(await hub.ask(`GET /alice/${name}`, undefined, "bob"));
    assert.deepEqual(await pages("tiny"), await pages("unmade"));
    // Access alone makes nothing private known; with the owner's word it is read again.
    await hub.ask(`PUT ${gate}/settings`, { private: false });
    assert.deepEqual(await check(hub, "bob"), open);
  });

  test("what is wrong with a body is said, and changes nothing", async () => {
    await using hub = await gated();
    await hub.ask(`POST ${ask}`, undefined, "bob");
    const wrong: readonly (readonly [line: string, body: unknown, by?: string])[] = [
      [`PUT ${gate}/settings`, { gated: true }],
      [`PUT ${gate}/settings`, { gated: "no" }],
      [`PUT ${gate}/settings`, { gated: "MANUAL" }],
      [`POST ${ask}/handle`, { user: "bob" }],
      [`POST ${ask}/handle`, { user: "bob", status: "maybe" }],
      [`POST ${ask}/handle`, { status: "accepted" }],
      [`POST ${ask}/handle`, { user: "bob", requestId: "ar_1", status: "accepted" }],
      [`POST ${ask}/handle`, { user: "bob", status: "accepted", rejectionReason: "why" }],
      [`POST ${ask}/handle`, { user: "bob", status: "rejected", rejectionReason: "x".repeat(201) }],
      [`POST ${ask}/handle`, { user: "bob", status: "rejected", rejectionReason: "\u001b[2Jgone" }],
      [`POST ${ask}/handle`, { user: ["bob"], status: "accepted" }],
      [`POST ${ask}/handle`, { requestId: "x".repeat(101), status: "accepted" }],
      [`POST ${ask}/grant`, {}],
      [`POST ${ask}`, { fields: { Company: "x" } }, "bob"],
      [`POST ${ask}`, { fields: "x" }, "bob"],
      [`POST ${ask}`, { fileds: {} }, "bob"],
    ];
    for (const [line, body, by] of wrong) {
      const { status, body: said } = await hub.ask(line, body, by ?? "alice");
      assert.deepEqual([status, typeof said.error], [400, "string"], `${line} ${JSON.stringify(body)}`);
    }
    assert.deepEqual([await list(hub, "pending"), await list(hub, "accepted")], [["bob"], []]);
    assert.equal((await hub.ask(`GET ${gate}`)).body.gated, "manual");
    assert.equal((await hub.ask(`GET ${ask}/maybe`)).status, 404);
    const space = await hub.ask("POST /api/repos/create", { name: "app", type: "space", sdk: "static" });
    assert.equal(space.status, 200);
    assert.equal((await hub.ask("PUT /api/spaces/alice/app/settings", { gated: "auto" })).status, 400);
    assert.equal((await hub.ask("PUT /api/spaces/alice/app/settings", { gated: false })).status, 200);
    for (const status of ["pending", "accepted", "rejected"])
      assert.equal((await hub.ask(`GET ${ask}/${status}`, undefined, "bob")).status, 403);
    // A token that may only read asks for nothing in its owner's name.
    const reads = await hub.world.token("bob", ["read"]);
    assert.equal((await hub.ask(`POST ${ask}`, {}, reads)).status, 403);
  });

  test("is never a reason of its own not to delete: clients would take it for gone", async () => {
    await using hub = await gated();
    const { status, headers } = await hub.ask(
      "DELETE /api/repos/delete",
      { name: "tiny", organization: "alice" },
      "bob",
    );
    assert.deepEqual([status, headers.get("x-error-code")], [403, null]);
  });

  test("lists by pages, each request once", async () => {
    await using hub = await gated();
    const people = ["d", "e", "f", "g", "h"];
    for (const name of people) {
      await hub.world.catalog.accounts.create({ name, tier: "free", role: "user", createdAt: hub.world.clock.wall() });
      hub.world.clock.advance(1_000);
      await hub.ask(`POST ${ask}/grant`, { user: name });
    }
    const seen: string[] = [];
    for (let next: string | undefined = `${ask}/accepted?limit=2`; next !== undefined;) {
      const page = await hub.ask(`GET ${next}`);
      seen.push(...names(page));
      next = /^<http:\/\/hub\.test:7070(.*)>; rel="next"$/.exec(page.headers.get("link") ?? "")?.[1];
    }
    assert.deepEqual(seen, people);
  });

  test("each decision has its entry in the audit log, with whose request it was, and with nothing of what people filled in", async () => {
    await using hub = await gated("manual", "---\nextra_gated_fields:\n  Company: text\n---\n");
    await hub.ask(`POST ${ask}`, { fields: { Company: "Secret & Co" } }, "bob");
    const [{ requestId }] = (await hub.ask(`GET ${ask}/pending`)).body;
    await hub.ask(`POST ${ask}/handle`, { requestId, status: "rejected", rejectionReason: "no" });
    await hub.ask(`POST ${ask}/handle`, { user: "bob", status: "accepted" });
    await hub.ask(`POST ${ask}/grant`, { user: "bob" });
    await hub.ask(`POST ${ask}/grant`, { user: "carol" });
    await hub.ask(`DELETE ${ask}`, undefined, "bob");
    const { items } = (await hub.ask("GET /api/audit?action=access")).body;
    const told = items.map(({ account, action, target, after }: Record<string, unknown>) => [
      account,
      action,
      target,
      after,
    ]);
    const target = "model/alice/tiny";
    assert.deepEqual(told.toReversed(), [
      ["bob", "access.ask", target, null],
      ["alice", "access.decide", target, { requestId, status: "rejected", rejectionReason: "no", user: "bob" }],
      ["alice", "access.decide", target, { user: "bob", status: "accepted" }],
      ["alice", "access.grant", target, { user: "carol" }],
      ["bob", "access.withdraw", target, null],
    ]);
    const { items: sets } = (await hub.ask("GET /api/audit?action=model.set")).body;
    assert.deepEqual([sets[0].before, sets[0].after], [{ gated: "no" }, { gated: "manual" }]);
  });
});

describe("what a gated repository asks", () => {
  const readme = `---
extra_gated_heading: Terms
extra_gated_prompt: "Be <b>good</b>."
extra_gated_fields:
  Company: text
  Born: date_picker
  Where: country
  Address: ip_location
  Why:
    type: select
    options: [Research, {label: Other, value: other}]
  I agree: checkbox
---
`;
  const right = { Company: "Ü & Co", Born: "1999-12-31", Where: "France", Why: "other", "I agree": true };

  test("is told to who wants its files, has to be answered whole, and is what its owner reads", async () => {
    await using hub = await gated("auto", readme);
    const own = (await hub.ask(`GET ${ask}`, undefined, "bob")).body;
    assert.deepEqual(
      [own.form.prompt, own.form.fields.map(({ name, type }: { name: string; type: string }) => `${name}: ${type}`)],
      ["Be <b>good</b>.", ["Company: text", "Born: date_picker", "Where: country", "Why: select", "I agree: checkbox"]],
    );
    const wrong: readonly object[] = [
      {},
      { ...right, Company: " " },
      { ...right, Company: "x".repeat(1_001) },
      { ...right, Company: "a\0b" },
      { ...right, Company: 7 },
      { ...right, Born: "31.12.1999" },
      { ...right, Born: "2026-02-30" },
      { ...right, Why: "none" },
      { ...right, "I agree": false },
      { ...right, toString: "x" },
      { ...right, Address: "127.0.0.1" },
    ];
    for (const fields of wrong)
      assert.equal((await hub.ask(`POST ${ask}`, { fields }, "bob")).status, 400, JSON.stringify(fields).slice(0, 200));
    assert.deepEqual(await check(hub, "bob"), refused);
    assert.equal((await hub.ask(`POST ${ask}`, { fields: right }, "bob")).body.status, "accepted");
    const [entry] = (await hub.ask(`GET ${ask}/accepted`)).body;
    assert.deepEqual(entry.fields, right);
  });

  test("is answered within bounds, field by field and all together", async () => {
    const names = Array.from({ length: 50 }, (_, n) => `f${n}`);
    await using hub = await gated(
      "auto",
      `---\nextra_gated_fields:\n${names.map((name) => `  ${name}: text`).join("\n")}\n---\n`,
    );
    const asked = async (letters: number) => {
      const fields = Object.fromEntries(names.map((name) => [name, "x".repeat(letters)]));
      return (await hub.ask(`POST ${ask}`, { fields }, "bob")).status;
    };
    assert.deepEqual([await asked(330), await asked(300)], [400, 200]);
  });

  test("in a way that nobody can answer lets nobody in, and is told to its owner when it is written", async () => {
    const forms = [
      "extra_gated_fields: text",
      "extra_gated_fields: {Why: {type: select}}",
      "extra_gated_fields: {Why: {type: select, options: [1]}}",
      "extra_gated_fields: {Age: number}",
      `extra_gated_fields: {${"x".repeat(201)}: text}`,
      `extra_gated_fields:\n${Array.from({ length: 51 }, (_, n) => `  f${n}: text`).join("\n")}`,
      "extra_gated_prompt: [1]",
      `extra_gated_prompt: ${"x".repeat(20_001)}`,
    ];
    await using hub = await gated("auto");
    for (const form of forms) {
      const content = `---\n${form}\n---\n`;
      const yaml = await hub.ask("POST /api/validate-yaml", { content, repoType: "model" });
      assert.deepEqual([yaml.status, yaml.body.warnings.length], [200, 1], form.slice(0, 80));
      assert.equal((await hub.commit(gate, [file("README.md", content)])).status, 200);
      const asked = await hub.ask(`POST ${ask}`, {}, "bob");
      assert.deepEqual(
        [asked.status, asked.body.error.includes("alice can mend its README.md")],
        [409, true],
        form.slice(0, 80),
      );
      assert.match((await hub.ask(`GET ${ask}`, undefined, "bob")).body.formProblem, /cannot be asked/);
    }
    assert.deepEqual(await check(hub, "bob"), refused);
    await hub.ask(`POST ${ask}/grant`, { user: "bob" });
    assert.deepEqual(await check(hub, "bob"), open);
  });
});

describe("a gated repository's page", () => {
  /** As a browser: HTML, by the token of whoever looks. */
  async function look(hub: Hub, path: string, by: string | null, form?: Readonly<Record<string, string>>) {
    const token = by === null ? undefined : await hub.world.token(by, ["read", "write"]);
    const answer = await createChecked(hub.world.server).request(`http://hub.test:7070${path}`, {
      method: form === undefined ? "GET" : "POST",
      headers: { accept: "text/html", ...(token !== undefined && { authorization: `Bearer ${token}` }) },
      ...(form !== undefined && { body: new URLSearchParams(form) }),
    });
    return { status: answer.status, location: answer.headers.get("location"), text: await answer.text() };
  }

  test("shows what is asked, takes it from who is signed in, and says where they stand", async () => {
    await using hub = await gated(
      "manual",
      `---\nextra_gated_prompt: "Be <b>good</b>."\nextra_gated_fields: {"<i>Name</i>": text, I agree: checkbox}\n---\n`,
    );
    const nobody = await look(hub, "/alice/tiny", null);
    assert.match(nobody.text, /<a href="\/login\?next=%2Falice%2Ftiny">Sign in<\/a> to ask/);
    assert.match(nobody.text, /Be &#60;b&#62;good&#60;\/b&#62;\./);
    const form = await look(hub, "/alice/tiny", "bob");
    assert.match(
      form.text,
      /<form [^>]*action="\/alice\/tiny\/ask-access">.*name="&#60;i&#62;Name&#60;\/i&#62;" required/s,
    );
    const half = await look(hub, "/alice/tiny/ask-access", "bob", { "<i>Name</i>": "Bob" });
    assert.deepEqual([half.status, /I agree: it has to be agreed to/.test(half.text)], [400, true]);
    assert.match(half.text, /value="Bob" id="f0"/, "what was right need not be typed again");
    assert.doesNotMatch(half.text, / checked/);
    const ended = await look(hub, "/alice/tiny/ask-access", null, { "<i>Name</i>": "Bob", "I agree": "on" });
    assert.equal(ended.status, 401);
    assert.match(
      ended.text,
      /Nobody is signed in here any more.*<a href="\/login\?next=%2Falice%2Ftiny">Sign in<\/a>/s,
    );
    const sent = await look(hub, "/alice/tiny/ask-access", "bob", { "<i>Name</i>": "Bob", "I agree": "on" });
    assert.deepEqual([sent.status, sent.location], [303, "/alice/tiny"]);
    assert.match((await look(hub, "/alice/tiny", "bob")).text, /It was asked for, and waits for alice\./);
    assert.match((await look(hub, "/alice/tiny", "alice")).text, /Somebody waits .*waybill access list alice\/tiny/);
    await hub.ask(`POST ${ask}/handle`, { user: "bob", status: "rejected", rejectionReason: "<u>no</u>" });
    assert.match((await look(hub, "/alice/tiny", "bob")).text, /turned down: &#60;u&#62;no&#60;\/u&#62;/);
    await hub.ask(`POST ${ask}/grant`, { user: "bob" });
    assert.match((await look(hub, "/alice/tiny", "bob")).text, /bob has access to its files\./);
    assert.deepEqual((await hub.ask(`GET ${ask}/accepted`)).body[0].fields, { "<i>Name</i>": "Bob", "I agree": true });
  });

  test("of a dataset is below /datasets; of one that is not gated, private or not there there is nothing to ask", async () => {
    await using hub = await gated("auto");
    await hub.ask("POST /api/repos/create", { name: "rows", type: "dataset" });
    await hub.ask("PUT /api/datasets/alice/rows/settings", { gated: "auto" });
    assert.equal((await look(hub, "/datasets/alice/rows/ask-access", "bob", {})).location, "/datasets/alice/rows");
    assert.equal((await hub.ask("GET /api/datasets/alice/rows/auth-check", undefined, "bob")).status, 200);
    await hub.model("plain");
    assert.doesNotMatch((await look(hub, "/alice/plain", "bob")).text, /<form/);
    assert.equal((await look(hub, "/alice/plain/ask-access", "bob", {})).status, 400);
    assert.equal((await look(hub, "/alice/none/ask-access", "bob", {})).status, 404);
    assert.equal((await look(hub, "/alice/tiny/ask-access", null, {})).status, 401);
    await hub.model("secret", { private: true });
    for (const path of ["/alice/secret", "/alice/none", "/datasets/alice/tiny", "/api/nothing"])
      assert.equal((await look(hub, path, "bob")).status, 404, path);
  });
});

test("a commit to a gated repository is its owner's still, and no answer of it is a refusal of files", async () => {
  await using hub = await gated();
  const commit = (by: string) => hub.ask(`POST ${gate}/commit/main`, commitOf([file("a.txt", "a")], {}), by);
  assert.equal((await commit("alice")).status, 200);
  await hub.ask(`POST ${ask}/grant`, { user: "bob" });
  assert.deepEqual(says(await commit("bob")), [403, null, "string"]);
});
