/** The text of a card, cut into tokens, a list of them for each line that Python would see. */

import { CardError, type Mistake } from "./mistakes";
import type { Place } from "./syntax";

export interface Token {
  kind: "name" | "number" | "string" | "operator" | "end";
  text: string;
  place: Place;
}

/** A line of Python: it goes on while a bracket is open. The last token is an "end". */
export interface Line {
  indent: number;
  tokens: Token[];
}

const OPERATOR = /\*\*=|\/\/=|<<=|>>=|\*\*|\/\/|<<|>>|<=|>=|==|!=|->|:=|[-+*/%&|^@]=|[-+*/%&|^~<>=@()[\]{},:.;]/y;
const NUMBER = /(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][-+]?\d+)?/y;
const NAME = /[\p{L}_][\p{L}\p{Nd}_]*/uy;
const STRING = /[rbfuRBFU]{0,2}("""[^]*?"""|'''[^]*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')/y;
const SPACE = /(?:[ \t\f\r]|\\\r?\n|#[^\n]*)+/y;

/** What people write on paper, and how it is written here. */
const INSTEAD: Readonly<Record<string, string>> = {
  "−": "-",
  "–": "-",
  "×": "*",
  "·": "*",
  "⋅": "*",
  "÷": "/",
  "√": "sqrt(...)",
  "²": "**2",
  "³": "**3",
  "≤": "<=",
  "≥": ">=",
  "≠": "!=",
  "!": "~(...)",
};

const CLOSING: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

/** Cuts `text` into lines of tokens. What cannot be read is added to `mistakes` and left out; the
 *  last line is left out, and `isCut`, where a bracket is never closed.
 */
export function linesOf(text: string, mistakes: Mistake[]): { lines: Line[]; isCut: boolean } {
  const lines: Line[] = [];
  const open: Token[] = [];
  let [at, line, lineStart] = [0, 1, 0];
  let current: Line | null = null;

  const place = (length: number): Place => ({ line, column: at - lineStart + 1, length });
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0] ?? null;
  };
  const advance = (taken: string): void => {
    for (let k = 0; k < taken.length; k += 1) {
      if (taken[k] === "\n") [line, lineStart] = [line + 1, at + k + 1];
    }
    at += taken.length;
  };
  const end = (): void => {
    current?.tokens.push({ kind: "end", text: "", place: place(1) });
    current = null;
  };
  const add = (kind: Token["kind"], taken: string, read = taken): Token => {
    const token = { kind, text: read, place: place(taken.length) };
    if (current === null) lines.push((current = { indent: at - lineStart, tokens: [] }));
    current.tokens.push(token);
    advance(taken);
    return token;
  };

  while (at < text.length) {
    if (text[at] === "\n") {
      if (open.length === 0) end();
      advance("\n");
      continue;
    }
    const space = match(SPACE);
    if (space !== null) {
      advance(space);
      continue;
    }
    const string = match(STRING);
    if (string !== null) {
      add("string", string);
      continue;
    }
    const number = match(NUMBER);
    if (number !== null) {
      add("number", number);
      continue;
    }
    const name = match(NAME);
    if (name !== null) {
      add("name", name);
      continue;
    }
    const operator = match(OPERATOR);
    if (operator !== null) {
      const token = add("operator", operator);
      if (operator in CLOSING) open.push(token);
      else if (")]}".includes(operator)) close(open, token, mistakes);
      continue;
    }
    const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
    const instead = INSTEAD[character];
    const hint = instead === undefined ? "it has no meaning in a card" : `write ${instead}`;
    mistakes.push({ ...place(character.length), message: `\`${character}\` cannot be read: ${hint}.` });
    OPERATOR.lastIndex = 0;
    // What follows is read as on paper, so that nothing more is said of it.
    if (instead !== undefined && OPERATOR.exec(instead)?.[0] === instead) {
      add("operator", character, instead);
    } else {
      advance(character);
    }
  }
  const unclosed = open[0];
  if (unclosed !== undefined) {
    const message = `this ${unclosed.text} is never closed; a ${CLOSING[unclosed.text]} is missing.`;
    mistakes.push({ ...unclosed.place, message });
    lines.pop();
  } else {
    end();
  }
  return { lines, isCut: unclosed !== undefined };
}

function close(open: Token[], token: Token, mistakes: Mistake[]): void {
  const opener = open.pop();
  if (opener !== undefined && CLOSING[opener.text] === token.text) return;
  const message =
    opener === undefined
      ? `this ${token.text} closes nothing.`
      : `this ${token.text} does not close the ${opener.text} of line ${opener.place.line}.`;
  mistakes.push({ ...token.place, message });
}

/** The tokens of a line, read one after another. */
export class Reader {
  private at = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  get next(): Token {
    return this.ahead(0);
  }

  /** The token after `count` others, without taking it. */
  ahead(count: number): Token {
    const last = this.tokens.length - 1;
    return this.tokens[Math.min(this.at + count, last)] as Token;
  }

  take(): Token {
    const token = this.next;
    this.at += 1;
    return token;
  }

  /** Takes the next token if it is this operator or word. */
  takes(text: string): boolean {
    const found = this.next.kind !== "string" && this.next.kind !== "end" && this.next.text === text;
    if (found) this.at += 1;
    return found;
  }

  /** Takes this operator, or says what was found instead. */
  expect(text: string, what: string): void {
    if (!this.takes(text)) {
      throw new CardError(this.next.place, `${this.found()} was found where ${what} is needed.`);
    }
  }

  /** The next token, as a message names it. */
  found(): string {
    return this.next.kind === "end" ? "the end of the line" : `\`${this.next.text}\``;
  }

  rest(): Token[] {
    return this.tokens.slice(this.at);
  }
}
