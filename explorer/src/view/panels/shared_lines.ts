/** What the lines of two cards have in common. */

/** A piece of a line, and whether the other line has it too. */
export interface Piece {
  text: string;
  shared: boolean;
}

/** How a line of a card goes with one of another's. */
export interface Match {
  line: number; // of the other card
  share: number; // how much of both is the same; 1 for equal lines
  pieces: Piece[]; // of this line
  others: Piece[]; // of the other's
}

/** The assignments of a card, without `def`, `return`, docstring and what is blank. */
export function assignments(card: string): string[] {
  return card
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => /^[A-Za-z_]\w*\s*=(?!=)/.test(line) && !line.endsWith(","));
}

/** The line among these that is most like `line`: it sets the same name, and shares at least one term. */
export function nearest(line: string, others: readonly string[]): Match | null {
  let best: Match | null = null;
  others.forEach((other, k) => {
    if (target(other) !== target(line)) return;
    const match = compared(line, other);
    if (match.share > (best?.share ?? 0.4)) best = { line: k, ...match };
  });
  return best;
}

/** The longest common run of tokens, in order; a lone sign or bracket does not count as shared. */
export function compared(line: string, other: string): Omit<Match, "line"> {
  const [a, b] = [split(line), split(other)];
  const lengths = a.map(() => new Array<number>(b.length + 1).fill(0)).concat([new Array<number>(b.length + 1).fill(0)]);
  const at = (i: number, k: number) => lengths[i]?.[k] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let k = b.length - 1; k >= 0; k -= 1) {
      (lengths[i] as number[])[k] = a[i] === b[k] ? at(i + 1, k + 1) + 1 : Math.max(at(i + 1, k), at(i, k + 1));
    }
  }
  const [inA, inB] = [a.map(() => false), b.map(() => false)];
  for (let i = 0, k = 0; i < a.length && k < b.length; ) {
    if (a[i] === b[k]) [inA[i++], inB[k++]] = [true, true];
    else if (at(i + 1, k) >= at(i, k + 1)) i += 1;
    else k += 1;
  }
  const share = (2 * at(0, 0)) / (a.length + b.length);
  return { share, pieces: pieces(line, a, inA), others: pieces(other, b, inB) };
}

function target(line: string): string {
  return /^\w+/.exec(line)?.[0] ?? "";
}

function split(line: string): string[] {
  return line.match(/\w+(?:\.\d+)?|\*\*|\S/g) ?? [];
}

/** Neighbours of one sort as one piece, with the spaces between them. */
function pieces(line: string, tokens: string[], shared: boolean[]): Piece[] {
  const found: Piece[] = [];
  let from = 0;
  tokens.forEach((token, k) => {
    const to = line.indexOf(token, from) + token.length;
    const [text, last] = [line.slice(from, to), found.at(-1)];
    if (last !== undefined && last.shared === shared[k]) last.text += text;
    else found.push({ text, shared: shared[k] ?? false });
    from = to;
  });
  for (const piece of found) if (!/\w/.test(piece.text)) piece.shared = false;
  return found;
}
