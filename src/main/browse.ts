/** Shows an address in the browser of whoever sits at this machine. */
import { spawn } from "node:child_process";

/** False where there is no screen, or nothing that shows pages. It is not waited for: a browser may stay. */
export async function browse(url: string, env: Readonly<Record<string, string | undefined>>): Promise<boolean> {
  const isMac = process.platform === "darwin";
  if (!isMac && !env["DISPLAY"] && !env["WAYLAND_DISPLAY"]) return false;
  const child = spawn(isMac ? "open" : "xdg-open", [url], { stdio: "ignore", detached: true });
  return new Promise((done) => {
    child.once("error", () => done(false));
    child.once("spawn", () => {
      child.unref();
      done(true);
    });
  });
}
