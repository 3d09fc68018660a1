/** What the browser keeps for us from one page to the next. One that keeps nothing, or lets no page ask, is as one that was never here before. */

export function kept(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // Whoever asks begins anew, and says so where it matters.
  }
}

export function keep(name: string, text: string): void {
  try {
    localStorage.setItem(name, text);
  } catch {
    // It holds for this page.
  }
}

export function forget(name: string): void {
  try {
    localStorage.removeItem(name);
  } catch {
    // Nothing is kept there.
  }
}
