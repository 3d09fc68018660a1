import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { noPackage, type AppPackage } from "./package-json.ts";
import { chooseManager, packagesName, type ManagerChoice } from "./package-manager.ts";

const later = "__metadata:\n  version: 8\n";
const choose = (packageManager: string | null, files: Readonly<Record<string, string>>): ManagerChoice =>
  chooseManager({ ...noPackage, packageManager }, new Map(Object.entries(files)));

describe("chooseManager", () => {
  for (const [says, named, files, expected] of [
    ["npm where nothing says more", null, {}, "npm - - ci"],
    ["the lockfile's own", null, { "pnpm-lock.yaml": "" }, "pnpm 10 pnpm-lock.yaml --frozen-lockfile"],
    [
      "the pnpm that reads its lockfile",
      null,
      { "pnpm-lock.yaml": "lockfileVersion: '6.0'\n" },
      "pnpm 8 pnpm-lock.yaml --frozen-lockfile",
    ],
    ["the first yarn", null, { "yarn.lock": "# yarn lockfile v1\n" }, "yarn 1 yarn.lock --frozen-lockfile"],
    [
      "what packageManager names, with its hash",
      "pnpm@10.1.0+sha512.ab",
      { "package-lock.json": "{}" },
      "pnpm 10.1.0 - --frozen-lockfile",
    ],
    ["a later yarn", "yarn@4.9.2", { "yarn.lock": later }, "yarn 4.9.2 yarn.lock --immutable"],
  ] as const) {
    test(says, () => {
      const choice = choose(named, files);
      assert.ok(choice.ok);
      const { name, version, lockfile, exactly } = choice.manager;
      assert.equal([name, version ?? "-", lockfile ?? "-", exactly].join(" "), expected);
    });
  }

  for (const [says, named, files] of [
    ["a manager that is not here", "bun@1.2.0", {}],
    ["a version that is none", "pnpm@latest", {}],
    ["a later yarn's lockfile without its version", null, { "yarn.lock": later }],
  ] as const) {
    test(`${says} is refused with what to write`, () => {
      const choice = choose(named, files);
      assert.ok(!choice.ok);
      assert.match(choice.says, /(name one, |write for example|say of which)/);
    });
  }

  test("of several lockfiles the one that is used is said", () => {
    const choice = choose(null, { "package-lock.json": "{}", "yarn.lock": "" });
    assert.match((choice.ok && choice.note) || "", /^package-lock\.json is used, and not yarn\.lock/);
  });
});

describe("packagesName", () => {
  const app: AppPackage = { ...noPackage, dependencies: ["a"] };
  const lock = "package-lock.json";
  const name = (
    packageJson: string,
    files: Readonly<Record<string, string>>,
    of = app,
    platform = "linux",
  ): string | null => {
    const choice = chooseManager(of, new Map(Object.entries(files)));
    assert.ok(choice.ok);
    return packagesName(packageJson, of, { manager: choice.manager, files: new Map(Object.entries(files)), platform });
  };

  test("is the same for the same files, and another for any change of them or of the machine", () => {
    const first = name("{}", { [lock]: "{}" });
    assert.match(first ?? "", /^node-[0-9a-f]{32}$/);
    assert.equal(name("{}", { [lock]: "{}" }), first);
    const others = [
      name("{ }", { [lock]: "{}" }),
      name("{}", { [lock]: "{ }" }),
      name("{}", { [lock]: "{}", ".npmrc": "x=1" }),
      name("{}", { [lock]: "{}" }, app, "darwin"),
    ];
    assert.equal(new Set([first, ...others]).size, 5);
  });

  for (const [says, packageJson, files, of] of [
    ["nothing is locked", "{}", {}, app],
    ["a script of the app runs at its install", "{}", { [lock]: "{}" }, { ...app, runsAtInstall: true }],
    ["it has workspaces", "{}", { [lock]: "{}" }, { ...app, hasWorkspaces: true }],
    ["a package is a folder of the app", '{"dependencies":{"a":"file:./a"}}', { [lock]: "{}" }, app],
    ["yarn has a second workspace", "{}", { "yarn.lock": '"b@workspace:packages/b":\n' }, app],
    ["yarn patches one", "{}", { "yarn.lock": '"a@patch:a@npm%3A1#./p":\n' }, app],
  ] as const) {
    test(`is none where ${says}`, () => {
      assert.equal(name(packageJson, files, of), null);
    });
  }

  test("is one where yarn only names its root, and patches that it brings itself", () => {
    const berry = '"a@workspace:.":\n"typescript@patch:typescript@npm%3A5#optional!builtin<compat/typescript>":\n';
    assert.notEqual(name("{}", { "yarn.lock": berry }), null);
  });
});
