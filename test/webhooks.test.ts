/** Webhooks of a whole platform, by the command line: told, killed before the answer, told again by the next start. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { Webhook } from "standardwebhooks";
import { exit } from "../src/cli/exit.ts";
import { runCli } from "../src/cli/program.ts";
import type { AddedWebhook, DeliveryView, NoticeBody, WebhookView } from "../src/contract/webhooks.ts";
import { cliWorld } from "./support/cli-world.ts";
import { Platform, until, type Account } from "./support/platform.ts";

interface Came {
  readonly id: string;
  readonly body: NoticeBody;
}

describe("webhooks of a platform", () => {
  const came: Came[] = [];
  const held: ServerResponse[] = [];
  let up: Platform;
  let alice: Account;
  let secret = "";
  /** What the receiver answers; 0: nothing. */
  let status = 200;
  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    const body = new Webhook(secret).verify(text, headers) as NoticeBody;
    came.push({ id: headers["webhook-id"] ?? "", body });
    if (status === 0) held.push(response);
    else response.writeHead(status).end(`answered ${status}\u0007`);
  };
  const receiver = createServer((request, response) => void receive(request, response));
  const url = (): string => `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;

  before(async () => {
    receiver.listen(0, "127.0.0.1");
    await once(receiver, "listening");
    up = await Platform.start({ sandbox: "none", env: { WAYBILL_WEBHOOK_ADDRESSES: "127.0.0.1" } });
    alice = await up.account("alice");
  });
  after(async () => {
    await up?.[Symbol.asyncDispose]();
    receiver.closeAllConnections();
    receiver.close();
  });

  async function waybill<Answer>(...args: readonly string[]): Promise<{ code: number; answer: Answer }> {
    const { world, said } = cliWorld({
      ...{ env: { WAYBILL_URL: up.url, WAYBILL_TOKEN: alice.token } },
      clock: { wall: () => Date.now() as never, monotonic: () => performance.now() },
    });
    const code = await runCli(["webhook", ...args, "--json"], world);
    return { code, answer: JSON.parse(said.out) as Answer };
  }

  test("one is added, tried, looked at, changed and removed, and what happens is told to it", async () => {
    const refused = await waybill<{ detail: string }>("add", "https://10.0.0.1/");
    assert.deepEqual([refused.code, /private, 10.0.0.0\/8/.test(refused.answer.detail)], [exit.usage, true]);
    const { answer: added } = await waybill<AddedWebhook>("add", url(), "--description", "ours");
    secret = added.secret;
    const tried = await waybill<DeliveryView>("test", added.id);
    assert.deepEqual([tried.code, tried.answer.state], [exit.done, "delivered"]);
    assert.equal(tried.answer.attempts[0]?.answer, "answered 200�");
    assert.equal(came[0]?.id, tried.answer.id);
    status = 500;
    const failed = await waybill<DeliveryView>("test", added.id);
    assert.deepEqual(
      [failed.code, failed.answer.state, failed.answer.attempts[0]?.status],
      [exit.failed, "waiting", 500],
    );
    status = 200;
    const again = await waybill<DeliveryView>("redeliver", added.id, tried.answer.id);
    assert.deepEqual([again.code, again.answer.attempts.length, again.answer.id], [exit.done, 2, tried.answer.id]);
    const list = await waybill<{ items: WebhookView[] }>("list");
    assert.deepEqual(
      list.answer.items.map(({ id, description, state }) => [id, description, state]),
      [[added.id, "ours", "on"]],
    );
    const log = await waybill<{ items: DeliveryView[] }>("deliveries", added.id);
    assert.deepEqual(
      log.answer.items.map(({ id }) => id),
      [failed.answer.id, tried.answer.id],
    );
    const one = await waybill<DeliveryView>("deliveries", added.id, tried.answer.id);
    assert.equal((JSON.parse(one.answer.body ?? "") as NoticeBody).type, "webhook.test");
    const off = await waybill<WebhookView>("set", added.id, "--off", "--type", "member.added");
    assert.deepEqual([off.answer.state, off.answer.types, off.answer.waiting], ["off", ["member.added"], 0]);
    assert.equal((await waybill("test", added.id)).code, exit.refused);
    assert.equal((await waybill("remove", added.id)).code, exit.done);
    assert.equal((await waybill("show", added.id)).code, exit.notFound);
  });

  test("what was being told when the platform was killed is told by the next one, under its id", async () => {
    const acme = await up.admin.createAccount({ name: "acme", organisation: true, admin: "alice" });
    const { answer: hook } = await waybill<AddedWebhook>("add", url(), "--account", acme.name);
    secret = hook.secret;
    came.length = 0;
    status = 0;
    await up.account("bob");
    await up.admin.addMember("acme", { account: "bob", role: "read" });
    await up.admin.changeMember("acme", { account: "bob", role: "write" });
    await until("the first is being told", () => came.length === 1);
    await up.kill();
    for (const response of held) response.destroy();
    status = 200;
    await up.up();
    await until("both are told", () => came.length === 3);
    assert.deepEqual(
      came.map(({ body }) => body.type),
      ["member.added", "member.added", "member.changed"],
    );
    assert.equal(came[0]?.id, came[1]?.id);
    assert.deepEqual(came[2]?.body.data, { organisation: "acme", account: "bob", role: "write" });
    const log = await waybill<{ items: DeliveryView[] }>("deliveries", hook.id);
    assert.deepEqual(log.answer.items.map(({ state }) => state).toSorted(), ["delivered", "delivered"]);
  });
});
