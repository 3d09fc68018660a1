/** What the faces of repositories ask of a platform where everything is public and everybody may do everything. */
import type { GitDesk } from "../../src/hub/git-face.ts";

/** Who asks is the user of `Basic`, or what stands as the token of `Bearer`. */
export const openDesk = {
  callerOf: async (field) => {
    if (field === undefined) return { caller: null };
    const may = (): boolean => true;
    return { caller: { account: accountOf(field), admin: true, via: { kind: "token", id: "t_1" }, may, grants: may } };
  },
  named: (repo) => repo,
  standing: () => "public",
  gate: async () => undefined,
  storedAs: ({ id }) => id,
  mayRead: async () => true,
  mayWrite: async () => true,
  mayPropose: async () => true,
} satisfies Partial<GitDesk>;

function accountOf(field: string): string {
  const [scheme, shown = ""] = field.split(" ");
  return scheme === "Basic" ? Buffer.from(shown, "base64").toString().replace(/:.*/, "") : shown;
}
