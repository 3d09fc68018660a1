import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { coverOf, hostCommand } from "./stage.ts";

describe("what stands in the way of a Space's own user", () => {
  const steps = (needs: readonly string[], ...closed: string[]): readonly string[] =>
    coverOf(needs, (folder) => !closed.includes(folder)).map((step) => `${step.do} ${step.path}`);

  test("nothing, where others may enter every folder above", () => {
    assert.deepEqual(steps(["/srv/data/replica"]), []);
  });

  test("the outermost closed folder is covered, and all below it that is needed is bound back", () => {
    const needs = ["/root/.local/node/replicas/p_1", "/root/python/3.10", "/usr/lib/x"];
    assert.deepEqual(steps(needs, "/root", "/root/.local", "/root/.local/node"), [
      "cover /root",
      "bind /root/python/3.10",
      "bind /root/.local/node/replicas/p_1",
    ]);
  });

  test("what lies within another needed folder comes back with it", () => {
    assert.deepEqual(steps(["/root/a", "/root/a/b", "/root/ab"], "/root"), [
      "cover /root",
      "bind /root/a",
      "bind /root/ab",
    ]);
  });

  test("a closed folder within what came back is covered in its turn", () => {
    const needs = ["/root/waybill", "/root/waybill/data/node/replicas/p_1"];
    assert.deepEqual(steps(needs, "/root", "/root/waybill/data"), [
      "cover /root",
      "bind /root/waybill",
      "cover /root/waybill/data",
      "bind /root/waybill/data/node/replicas/p_1",
    ]);
  });

  test("an agent that is not root changes no user and covers nothing", () => {
    const command = hostCommand({ hostUid: null, needs: ["/x"], frozen: ["/x"], cgroup: null }, ["true"]);
    assert.deepEqual(command, ["unshare", "--user", "--map-root-user", "--net", "--mount", "--", "true"]);
  });
});
