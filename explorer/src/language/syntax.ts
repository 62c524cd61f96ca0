/** The syntax tree of a card. Every part knows where it stands. */

/** A stretch of the text: line and column of its first character from 1, and its length. */
export interface Place {
  line: number;
  column: number;
  length: number;
}

export interface Name {
  text: string;
  place: Place;
}

export type UnaryOperator = "-" | "+" | "~";
export type BinaryOperator =
  | "+"
  | "-"
  | "*"
  | "/"
  | "//"
  | "%"
  | "**"
  | "<"
  | "<="
  | ">"
  | ">="
  | "=="
  | "!="
  | "&"
  | "|";

export type Expression =
  | { kind: "number"; value: number; text: string; place: Place }
  | { kind: "name"; text: string; place: Place }
  | { kind: "unary"; operator: UnaryOperator; operand: Expression; place: Place }
  | {
      kind: "binary";
      operator: BinaryOperator;
      left: Expression;
      right: Expression;
      place: Place; // of the operator
    }
  | { kind: "call"; name: Name; operands: Expression[]; place: Place };

/** `name = expression`; `name += expression` is read as `name = name + expression`. */
export interface Assignment {
  target: Name;
  value: Expression | null; // null where it could not be read
}

export interface Argument {
  name: Name;
  isScalar: boolean;
}

export interface Hyperparameter {
  name: Name;
  value: number;
}

/** `def name(positional, *, hyperparameters): assignments, return returned` */
export interface RuleSyntax {
  name: Name;
  initial: Record<string, number | string>; // of @rule(initial={...})
  positional: Argument[];
  hyperparameters: Hyperparameter[];
  assignments: Assignment[];
  returned: Expression[] | null; // null where they could not be read
  returnPlace: Place;
}
