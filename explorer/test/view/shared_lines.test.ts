import assert from "node:assert/strict";
import test from "node:test";
import { assignments, compared, nearest, type Piece } from "../../src/view/panels/shared_lines";

const shared = (pieces: Piece[]) => pieces.filter((piece) => piece.shared).map((piece) => piece.text);
const whole = (pieces: Piece[]) => pieces.map((piece) => piece.text).join("");

test("equal lines are shared as a whole", () => {
  const line = "v = beta2 * v + (1 - beta2) * dw**2";
  const match = compared(line, line);
  assert.equal(match.share, 1);
  assert.deepEqual(match.pieces, [{ text: line, shared: true }]);
});

test("of Momentum's line Adam has the velocity that is kept, and the gradient", () => {
  const match = compared("m = beta1 * m + (1 - beta1) * dw", "m = beta1 * m - learning_rate * dw");
  assert.deepEqual(shared(match.pieces), ["m = beta1 * m", "* dw"]);
  assert.deepEqual(shared(match.others), ["m = beta1 * m", "* dw"]);
});

test("of RMSProp's step Adam has all but what is divided, and by what", () => {
  const [adam, rmsprop] = [
    "w = w - learning_rate * mt / (sqrt(vt) + eps)",
    "w = w - learning_rate * dw / (sqrt(v) + eps)",
  ];
  const match = compared(adam, rmsprop);
  assert.deepEqual(shared(match.pieces), ["w = w - learning_rate *", "/ (sqrt(", ") + eps)"]);
  assert.equal(whole(match.pieces), adam);
  assert.equal(whole(match.others), rmsprop);
});

test("a line goes with one that sets the same name, or with none", () => {
  const found = nearest("m = beta1 * m + (1 - beta1) * dw", [
    "v = beta1 * m + (1 - beta1) * dw",
    "m = 2 * m * beta1",
  ]);
  assert.equal(found?.line, 1);
  assert.equal(nearest("mt = m / (1 - beta1**t)", ["w = w + m"]), null);
});

test("the assignments of a card are its lines without signature and return", () => {
  const card =
    "def sgd(\n    w, dw, *,\n    learning_rate=0.1, beta=0.9,\n):\n    w = w - learning_rate * dw\n    return w";
  assert.deepEqual(assignments(card), ["w = w - learning_rate * dw"]);
});
