/** A sentence of the platform's in pieces: it begins with a capital letter, and what stands between backticks is code. */

export interface Piece {
  readonly text: string;
  readonly isCode: boolean;
}

export function piecesOf(text: string): readonly Piece[] {
  const pieces = text.split(/`([^`]+)`/).map((piece, at) => ({ text: piece, isCode: at % 2 === 1 }));
  return pieces
    .filter((piece) => piece.text !== "")
    .map((piece, at) => (at === 0 && !piece.isCode ? { ...piece, text: capital(piece.text) } : piece));
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
