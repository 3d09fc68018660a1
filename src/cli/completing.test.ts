import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { Command } from "commander";
import { whatComesNext } from "./completing.ts";

let program: Command;
before(() => {
  program = new Command("waybill").option("--json", "one document").option("--url <address>", "the server");
  const builds = program
    .command("builds")
    .description("builds")
    .argument("<owner/name>")
    .option("--page <next>", "a page");
  builds.command("show").description("one build").argument("<id>", "the build");
  builds.command("cancel").description("end one").argument("<id>", "the build");
  program.command("deploy").description("deploy").argument("<dir>").option("--space <owner/name>", "the Space");
  program.command("hidden", { hidden: true });
});

const values = (...words: readonly string[]): readonly string[] =>
  whatComesNext(program, words).suggestions.map(({ value }) => value);
const ids = (...words: readonly string[]): readonly string[] => whatComesNext(program, words).ids;

describe("what comes next on a command line", () => {
  test("is a command, where none was named, and never a hidden one", () => {
    assert.deepEqual(values(""), ["builds", "deploy"]);
    assert.deepEqual(values("de"), ["deploy"]);
  });

  test("is a command of the group, or what the group itself takes", () => {
    assert.deepEqual(values("builds", ""), ["show", "cancel"]);
    assert.deepEqual(ids("builds", ""), ["spaces"]);
  });

  test("is the kind of id that the argument wants, and nothing beyond the last one", () => {
    assert.deepEqual(ids("builds", "show", "b_"), ["builds"]);
    assert.deepEqual(ids("builds", "show", "b_1", ""), []);
    assert.deepEqual(ids("deploy", "./"), ["files"]);
  });

  test("is an option of the command or of all commands, once it begins like one", () => {
    assert.deepEqual(values("builds", "--"), ["--page", "--json", "--url", "--help"]);
    assert.deepEqual(values("builds", "--pa"), ["--page"]);
  });

  test("is the value of an option that wants one, and not an argument", () => {
    assert.deepEqual(ids("deploy", "--space", ""), ["spaces"]);
    assert.deepEqual(ids("--url", "http://x", "builds", "show", ""), ["builds"]);
    assert.deepEqual(values("builds", "--page", ""), []);
  });

  test("is no option after --", () => {
    assert.deepEqual(values("builds", "--", "--"), []);
  });
});
