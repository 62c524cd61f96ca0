/** A card's text as tokens, for colour. It is lenient: what it does not know stays plain. */

export type TokenKind =
  "keyword" | "number" | "comment" | "target" | "hyperparameter" | "function" | "plain";

export interface Token {
  kind: TokenKind;
  text: string;
}

const PATTERN =
  /(#.*)|(\b(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\b)|([A-Za-z_]\w*)|(\s+)|(\*\*|\/\/|[<>=!+\-*/%]=|.)/g;
const KEYWORDS = new Set(["def", "return", "rule"]);

/** The tokens of one line; `hyperparameters` are the names to the right of the star. */
export function tokens(line: string, hyperparameters: ReadonlySet<string>): Token[] {
  const found: Token[] = [];
  const target = /^\s+([A-Za-z_]\w*)\s*(?:[-+*/]?=)(?!=)/.exec(line)?.[1];
  for (const match of line.matchAll(PATTERN)) {
    const [text, comment, number, name] = match;
    let kind: TokenKind = "plain";
    if (comment !== undefined) kind = "comment";
    else if (number !== undefined) kind = "number";
    else if (name !== undefined) {
      const follows = line.slice(match.index + text.length);
      if (KEYWORDS.has(name)) kind = "keyword";
      else if (hyperparameters.has(name)) kind = "hyperparameter";
      else if (name === target && line.slice(0, match.index).trim() === "") kind = "target";
      else if (/^\s*\(/.test(follows)) kind = "function";
    }
    found.push({ kind, text });
  }
  return found;
}

/** The names of a card's hyperparameters, as far as its first lines can be read. */
export function hyperparametersIn(card: string): Set<string> {
  const signature = /\*\s*,([\s\S]*?)\)\s*:/.exec(card)?.[1] ?? "";
  return new Set([...signature.matchAll(/([A-Za-z_]\w*)\s*=/g)].map((match) => match[1] ?? ""));
}
