"""What optax has too: under its names, in its words, with its defaults.

A twin says only which rule it is, and how its parts are called. No formula stands here.
"""

from collections.abc import Mapping
from functools import cache

from .. import combinators, rules
from ..language.rule import Rule
from ..rules.adam import adam
from .made import Factory, Words, transformation

_BETAS = {"beta1": "b1", "beta2": "b2"}
_MOMENTS = {"m": "mu", "v": "nu"}

# optax's name -> the rule, option words, state words, defaults, what is no option
_TWINS: Mapping[str, tuple[Rule, Words]] = {
    "sgd": (rules.sgd, Words({}, {}, {}, {})),
    "momentum": (rules.heavy_ball, Words({"beta1": "momentum"}, {"m": "trace"}, {}, {})),
    "nesterov": (rules.heavy_ball_nesterov, Words({"beta1": "momentum"}, {"m": "trace"}, {}, {})),
    "adam": (adam, Words(_BETAS, _MOMENTS, {}, {})),
    "adamw": (rules.adamw, Words(_BETAS, _MOMENTS, {"weight_decay": 1e-4}, {})),
    "adamax": (rules.adamax, Words(_BETAS, {"m": "mu", "u": "nu"}, {"learning_rate": 1e-3}, {})),
    "adamaxw": (
        combinators.decoupled_decay(rules.adamax),
        Words(_BETAS, {"m": "mu", "u": "nu"}, {"learning_rate": 1e-3, "weight_decay": 1e-4}, {}),
    ),
    "nadam": (rules.adam_nesterov, Words(_BETAS, _MOMENTS, {}, {})),
    "nadamw": (
        combinators.decoupled_decay(rules.adam_nesterov),
        Words(_BETAS, _MOMENTS, {"weight_decay": 1e-4}, {}),
    ),
    "radam": (rules.radam, Words(_BETAS, _MOMENTS, {}, {})),
    "amsgrad": (
        rules.amsgrad,
        Words(_BETAS, {**_MOMENTS, "largest": "nu_max"}, {}, {"corrected_first": True}),
    ),
    "adabelief": (rules.adabelief, Words({**_BETAS, "eps_in_state": "eps_root"}, _MOMENTS, {}, {})),
    "yogi": (
        rules.yogi,
        Words(
            _BETAS,
            _MOMENTS,
            {},
            {"bias_correction": True, "initial_velocity": 1e-6, "initial_accumulator": 1e-6},
        ),
    ),
    "adan": (
        combinators.decoupled_decay(rules.adan),
        Words(
            {**_BETAS, "beta3": "b3"},
            {"change": "v", "v": "n", "previous": "g"},
            {"weight_decay": 0.0},
            {},
        ),
    ),
    "adagrad": (
        rules.adagrad_decaying,
        Words(
            {"initial_accumulator": "initial_accumulator_value"},
            {"v": "sum_of_squares"},
            {"eps": 1e-7, "initial_accumulator_value": 0.1},
            {"decay_rate": 0.0, "eps_inside_sqrt": True},
        ),
    ),
    "adadelta": (rules.adadelta, Words({}, {"v": "e_g", "u": "e_x"}, {}, {})),
    "rmsprop": (
        rules.rmsprop,
        Words({"beta2": "decay"}, {"v": "nu"}, {"decay": 0.9}, {"eps_inside_sqrt": True}),
    ),
    "lion": (
        combinators.decoupled_decay(rules.lion),
        Words(_BETAS, {"m": "mu"}, {"weight_decay": 1e-3}, {}),
    ),
    "rprop": (
        rules.rprop,
        Words(
            {"shrink": "eta_minus", "grow": "eta_plus", "shortest": "min_step_size",
             "longest": "max_step_size"},
            {"previous": "prev_updates", "length": "step_sizes"},
            {},
            {},
        ),
    ),
    "sign_sgd": (rules.sign_sgd, Words({}, {}, {}, {})),
    "optimistic_gradient_descent": (
        rules.optimistic_gradient,
        Words({"correction": "beta"}, {"previous": "previous_gradient"}, {}, {}),
    ),
    "lamb": (rules.lamb, Words(_BETAS, _MOMENTS, {}, {})),
    "lars": (
        rules.lars,
        Words(
            {"beta1": "momentum", "trust": "trust_coefficient"},
            {"m": "trace"},
            {"weight_decay": 0.0, "trust_coefficient": 1e-3},
            {"norm_of_sum": True},
        ),
    ),
    "novograd": (
        rules.novograd,
        Words(_BETAS, _MOMENTS, {"b1": 0.9, "b2": 0.25, "eps": 1e-6}, {}),
    ),
}  # fmt: skip

NAMES = tuple(_TWINS)


@cache
def twin(name: str) -> Factory:
    """The transformation that is optax's `name`."""
    rule, words = _TWINS[name]
    return transformation(rule, name, words)
