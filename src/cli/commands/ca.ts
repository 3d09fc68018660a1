/** `waybill ca`: the private authority whose certificates `--tls ca` shows to visitors. */
import type { Command } from "commander";
import { contextOf } from "../context.ts";
import type { Context, GlobalOptions } from "../context.ts";
import { exit } from "../exit.ts";
import { CliFailure } from "../failures.ts";
import type { Runner } from "../program.ts";
import type { RootView } from "../world.ts";

interface Options extends GlobalOptions {
  readonly data?: string;
}

export function declare(program: Command, run: Runner): void {
  const ca = program
    .command("ca")
    .description("the private certificate authority of a platform that runs with --tls ca");
  ca.command("create")
    .description("make its root where there is none; --tls ca does so too")
    .option("--data <dir>", "data folder")
    .action(
      run(async (world, command) => {
        const root = await world.authority(command.optsWithGlobals<Options>().data, { create: true });
        if (root !== undefined) show(contextOf(world, command), root);
      }),
    );
  ca.command("show")
    .description("where its root is, its fingerprint, and how to trust it")
    .option("--data <dir>", "data folder")
    .action(
      run(async (world, command) => {
        const root = await world.authority(command.optsWithGlobals<Options>().data, { create: false });
        if (root !== undefined) return show(contextOf(world, command), root);
        throw new CliFailure(exit.failed, {
          code: "no-authority",
          says: "No authority was made in this data folder.",
          next: "Make one with waybill ca create, or start the platform with --tls ca, which does.",
        });
      }),
    );
}

function show(context: Context, root: RootView): void {
  const { file, sha256, notAfter, subject, pem } = root;
  const text = `${subject.replaceAll("\n", ", ")}\n  certificate  ${file}\n  SHA-256      ${sha256}\n  until        ${notAfter}\n\n${pem}`;
  context.answer(root, context.quiet ? `${file}\n` : text);
  context.note(`\n${trustSays(file)}`);
}

/** Copied by hand and compared by its fingerprint: who can change it on the way can read everything afterwards. */
function trustSays(file: string): string {
  return `Copy ${file} to each machine that visits, compare its fingerprint there, and trust it:
  Debian, Ubuntu   cp root.pem /usr/local/share/ca-certificates/waybill.crt && update-ca-certificates
  Fedora           trust anchor root.pem
  macOS            security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain root.pem
  Windows          certutil -addstore Root root.pem
  Firefox          Settings, Certificates, Authorities, Import
  Node, Python     NODE_EXTRA_CA_CERTS=root.pem, SSL_CERT_FILE=root.pem
`;
}
