import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  addressOf,
  defaultState,
  FASTEST,
  LARGEST_SEED,
  MOST_STEPS,
  PANELS,
  type PageState,
  type RacerState,
  stateOf,
  THEMES,
} from "../src/address";
import { ADAM, BOWL, DATA } from "./cards";

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const text = fc.string({ unit: "grapheme" });

const racer: fc.Arbitrary<RacerState> = fc
  .record({
    rule: fc.constantFrom(...DATA.rules.map((rule) => rule.name)),
    card: fc.oneof(fc.constant(null), text, fc.constant(ADAM)),
    uncorrected: fc.boolean(),
    learning_rate: fc.option(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true })),
    beta1: fc.option(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
    other: fc.option(finite),
  })
  .map(({ learning_rate, beta1, other, ...rest }) => {
    const hyperparameters: Record<string, number> = {};
    if (learning_rate !== null && learning_rate !== 1e-3) hyperparameters.learning_rate = learning_rate;
    if (beta1 !== null && beta1 !== 0.9) hyperparameters.beta1 = beta1;
    if (other !== null && rest.card !== null) hyperparameters.other_one = other;
    return { ...rest, hyperparameters };
  });

const common = {
  start: fc.tuple(finite, finite),
  noise: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
  seed: fc.integer({ min: 0, max: LARGEST_SEED }),
  panel: fc.constantFrom(...PANELS),
  t: fc.integer({ min: 0, max: MOST_STEPS }),
  speed: fc.double({ min: 0, max: FASTEST, noNaN: true }),
  heat: fc.constantFrom("", "beta1", "rho"),
  theme: fc.constantFrom(...THEMES),
};
const [condition, lift] = BOWL.parameters.map(({ low, high }) => fc.double({ min: low, max: high, noNaN: true }));
assert.ok(condition && lift);
const ground = fc.oneof(
  fc.record({ surface: fc.constant("bowl"), parameters: fc.record({ condition, lift }, { noNullPrototype: true }) }),
  fc.constant({ surface: "plain", parameters: {} }),
);
const state: fc.Arbitrary<PageState> = fc
  .tuple(ground, fc.record(common, { noNullPrototype: true }), fc.array(racer, { minLength: 1, maxLength: 6 }), fc.nat())
  .map(([where, rest, racers, n]) => ({ ...where, ...rest, racers, shown: n % racers.length }));

test("every state comes back from its address as it was, to the last bit", () => {
  fc.assert(
    fc.property(state, (wanted) => {
      const address = addressOf(wanted, DATA);
      assert.deepStrictEqual(stateOf(`#${address}`, DATA), { state: wanted, notes: [] });
      assert.match(address, /^[A-Za-z0-9\-._~()*,;=:@/?+%&]*$/);
    }),
    { seed: 1, numRuns: 500 },
  );
});

test("whatever stands in the address, a whole state comes of it, and no exception", () => {
  const words = fc.constantFrom("rule=adam", "rule=", "card=x", "p=condition:", "p=lift:9", "start=1", "t=-1",
    "shown=9", "seed=1.5", "speed=1e999", "%", "=", "&", "rule=__proto__", "rule=adam,__proto__=1", "panel=constructor", "theme=x");
  const garbage = fc.array(fc.oneof(words, text, fc.string({ unit: "binary" })), { maxLength: 12 });
  fc.assert(
    fc.property(garbage, (parts) => {
      const { state: found } = stateOf(parts.join("&"), DATA);
      assert.deepEqual(stateOf(addressOf(found, DATA), DATA), { state: found, notes: [] });
    }),
    { seed: 1, numRuns: 500 },
  );
});

test("the state at first has no address", () => {
  assert.equal(addressOf(defaultState(DATA), DATA), "");
  assert.deepEqual(stateOf("", DATA), { state: defaultState(DATA), notes: [] });
  assert.deepEqual(defaultState(DATA).racers.map(({ rule }) => rule), ["momentum", "rmsprop", "adam"]);
});

test("numbers that are the rule's own are not kept", () => {
  assert.deepEqual(stateOf("rule=adam,beta1=0.9", DATA).state.racers[0]?.hyperparameters, {});
});

test("a state is the page's own: to change it changes no surface", () => {
  defaultState(DATA).start[0] = 99;
  assert.equal(defaultState(DATA).start[0], -2);
});

test("an address can be read", () => {
  const wanted = defaultState(DATA);
  wanted.parameters.condition = 50;
  wanted.racers = [
    { rule: "adam", hyperparameters: { learning_rate: 0.1 }, uncorrected: true, card: null },
    { rule: "lion", hyperparameters: {}, uncorrected: false, card: "def f(w, dw):\n    return w - dw" },
  ];
  wanted.shown = 0;
  wanted.t = 120;
  assert.equal(
    addressOf(wanted, DATA),
    "p=condition:50&rule=adam,learning_rate=0.1,uncorrected&rule=lion" +
      "&card=def+f(w,+dw):%0A++++return+w+-+dw&shown=0&t=120",
  );
});

test("what is not known is left out, and the reader is told", () => {
  const notes = (address: string): string => stateOf(address, DATA).notes.join("\n");
  assert.equal(notes("surface=bowll"), "There is no surface bowll here; did you mean bowl?");
  assert.equal(notes("rule=adm"), "There is no rule adm here; did you mean adam?\nNo rule of the address is known here.");
  assert.match(notes("rule=adam,lr=1"), /no hyperparameter of adam lr here; did you mean learning_rate\?/);
  assert.match(notes("rule=adam,beta1=1.5"), /beta1 is "1.5" in the address; it has to be: at least 0 and below 1/);
  assert.match(notes("rule=adam,beta1=x"), /a number of adam/);
  assert.match(notes("p=condition:5000"), /a number, at least 1 and at most 1000/);
  assert.match(notes("colour=red"), /There is no setting colour here/);
  assert.match(notes("t=1.5"), /a whole number/);
  assert.match(notes("start=1"), /two numbers/);
  assert.match(notes("card=x"), /belongs to no rule/);
  assert.match(notes("heat=%E0%A4%A"), /could not be read/);
  assert.match(notes(Array(7).fill("rule=adam").join("&")), /room for 6/);
  assert.deepEqual(stateOf("rule=adam,lr=1&t=7", DATA).state.racers[0]?.hyperparameters, {});
  assert.equal(stateOf("rule=adam,lr=1&t=7", DATA).state.t, 7);
});
