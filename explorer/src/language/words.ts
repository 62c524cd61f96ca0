/** Words of Python that a card does without, and what to write instead. */

const CHOOSE = "compute both and choose: where(condition, if_true, if_false).";

/** Words that begin a statement. */
export const STATEMENTS: Readonly<Record<string, string>> = {
  if: `a card cannot branch, since the answer may differ between weights; ${CHOOSE}`,
  elif: `a card cannot branch; ${CHOOSE}`,
  else: `a card cannot branch; ${CHOOSE}`,
  for: "a card on this page has no loops; write the lines one after another.",
  while: "a card on this page has no loops; write the lines one after another.",
  def: "a card is one function; write its formulas out here.",
  class: "a card is one function: def name(w, dw, ...):",
  with: "`with` has no use in a card; leave the line out.",
  try: "a card has nothing to try; leave the line out.",
  raise: "a card cannot raise errors; leave the line out.",
  assert: "a card cannot check anything; leave the line out.",
  pass: "a card has to return the new weights and every state.",
  del: "names need no deleting; leave the line out.",
  global: "a card knows its arguments alone; leave the line out.",
  nonlocal: "a card knows its arguments alone; leave the line out.",
  import: "nothing needs importing here; the functions are known. Leave the line out.",
  from: "nothing needs importing here; the functions are known. Leave the line out.",
};

/** Words within an expression. */
export const IN_EXPRESSIONS: Readonly<Record<string, string>> = {
  if: `\`x if condition else y\` branches; ${CHOOSE}`,
  else: `\`x if condition else y\` branches; ${CHOOSE}`,
  and: "write & for `and`, with parentheses around each comparison: (x > 0) & (y > 0).",
  or: "write | for `or`, with parentheses around each comparison: (x > 0) | (y > 0).",
  not: "write ~ for `not`, with parentheses: ~(x > 0).",
  is: "write == for `is`.",
  in: "`in` has no meaning for numbers; write comparisons.",
  for: "a card on this page has no loops; write the terms out.",
  lambda: "a card has no functions of its own; write the formula out.",
  True: "a card on this page has no switches; write the formula that you want.",
  False: "a card on this page has no switches; write the formula that you want.",
  None: "None is no number; every state has a value from the start, 0 unless @rule(initial=...).",
};

/** Operators of Python that mean something else than people think, or nothing here. */
export const OPERATORS: Readonly<Record<string, string>> = {
  "^": "`^` is no power in Python; write x**2.",
  "@": "`@` multiplies matrices; this page has single weights. Write *.",
  "<<": "`<<` moves bits; write * 2**k.",
  ">>": "`>>` moves bits; write / 2**k.",
  ":=": "`:=` is not for a card; give the value its name in a line of its own.",
  "=": "`=` stands in the middle of an expression; write == to compare.",
  "[": "`[` takes an element out of an array; a card says what happens to one weight.",
  "{": "`{` makes a set or a dictionary, which a card does without.",
  ".": "`.` belongs to an array; a card says what happens to one weight. Write sqrt(x), not x.sqrt().",
};
