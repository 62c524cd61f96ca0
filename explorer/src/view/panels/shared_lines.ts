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
  const lengths = a
    .map(() => new Array<number>(b.length + 1).fill(0))
    .concat([new Array<number>(b.length + 1).fill(0)]);
  const at = (i: number, k: number) => lengths[i]?.[k] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let k = b.length - 1; k >= 0; k -= 1) {
      (lengths[i] as number[])[k] =
        a[i] === b[k] ? at(i + 1, k + 1) + 1 : Math.max(at(i + 1, k), at(i, k + 1));
    }
  }
  const pairs = new Map<number, number>(); // place in a -> place in b
  for (let i = 0, k = 0; i < a.length && k < b.length;) {
    if (a[i] === b[k]) pairs.set(i++, k++);
    else if (at(i + 1, k) >= at(i, k + 1)) i += 1;
    else k += 1;
  }
  const share = (2 * pairs.size) / (a.length + b.length);
  dropLone(a, pairs);
  const others = new Set(pairs.values());
  return {
    share,
    pieces: pieces(
      line,
      a,
      a.map((_, i) => pairs.has(i)),
    ),
    others: pieces(
      other,
      b,
      b.map((_, k) => others.has(k)),
    ),
  };
}

/** A sign or bracket counts as shared only beside a shared word, and beside the same in both lines. */
function dropLone(tokens: string[], pairs: Map<number, number>): void {
  const kept = new Set([...pairs.keys()].filter((i) => /\w/.test(tokens[i] ?? "")));
  const beside = (i: number, by: 1 | -1) =>
    kept.has(i + by) && pairs.get(i + by) === (pairs.get(i) ?? NaN) + by;
  for (let before = -1; before !== kept.size;) {
    before = kept.size;
    for (const i of pairs.keys()) if (beside(i, 1) || beside(i, -1)) kept.add(i);
  }
  for (const i of [...pairs.keys()]) if (!kept.has(i)) pairs.delete(i);
}

function target(line: string): string {
  return /^\w+/.exec(line)?.[0] ?? "";
}

function split(line: string): string[] {
  return line.match(/\w+(?:\.\d+)?|\*\*|\S/g) ?? [];
}

/** Neighbours of one sort as one piece; a space between two sorts belongs to what is not shared. */
function pieces(line: string, tokens: string[], shared: boolean[]): Piece[] {
  const found: Piece[] = [];
  let from = 0;
  tokens.forEach((token, k) => {
    const start = line.indexOf(token, from);
    const [space, last, same] = [line.slice(from, start), found.at(-1), shared[k] === true];
    from = start + token.length;
    if (last !== undefined && last.shared === same) last.text += space + token;
    else if (last !== undefined && same) {
      last.text += space;
      found.push({ text: token, shared: true });
    } else found.push({ text: space + token, shared: same });
  });
  return found;
}
