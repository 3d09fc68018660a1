/** TLS for visitors: the operator's certificates, ACME's, and those of a private authority. */
export { AuthorityUnfit, createRoot, readRoot } from "./authority.ts";
export type { RootFacts } from "./authority.ts";
export { authorityFolder, Certificates } from "./certificates.ts";
export type { TlsSources } from "./certificates.ts";
export { CertificateFilesUnfit } from "./files.ts";
