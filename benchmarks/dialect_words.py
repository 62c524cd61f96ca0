"""What is known of the names: variants behind options, why a walk differs, what is left out.

Only what cannot be measured stands here. That two dialects are the same is measured, and by how
much they differ.
"""

from collections.abc import Mapping, Sequence
from typing import Any  # options of four libraries

Variant = tuple[str, str, Mapping[str, Any]]  # library, its name there, options

# Names that a library has as an option of another one, or under another name.
VARIANTS: Mapping[str, Sequence[Variant]] = {
    "momentum": (
        ("torch.optim", "SGD", {"momentum": 0.9}),
        ("optax", "sgd", {"momentum": 0.9}),
        ("Keras", "SGD", {"momentum": 0.9}),
    ),
    "nesterov": (
        ("torch.optim", "SGD", {"momentum": 0.9, "nesterov": True}),
        ("optax", "sgd", {"momentum": 0.9, "nesterov": True}),
        ("Keras", "SGD", {"momentum": 0.9, "nesterov": True}),
    ),
    "amsgrad": (
        ("torch.optim", "Adam", {"amsgrad": True}),
        ("Keras", "Adam", {"amsgrad": True}),
    ),
    "rmsprop_centered": (
        ("torch.optim", "RMSprop", {"centered": True}),
        ("optax", "rmsprop", {"centered": True}),
        ("Keras", "RMSprop", {"centered": True}),
    ),
    "dadapt_adam": (("optax", "dadapt_adamw", {}),),
    "nadamw": (
        ("torch.optim", "NAdam", {"weight_decay": 0.01, "decoupled_weight_decay": True}),
    ),
}  # fmt: skip

# (library, label) -> what it computes, where that is not what the first of its name does.
WORDS: Mapping[tuple[str, str], str] = {
    ("torch.optim", "ASGD"): "the same; keeps eta and mu in float32",
    ("optax", "adagrad"): "v starts at 0.1; eps inside of the root",
    ("Keras", "Adagrad"): "v starts at 0.1; eps inside of the root",
    ("optax", "rmsprop"): "eps inside of the root",
    ("Keras", "RMSprop"): "eps inside of the root",
    ("optax", "rmsprop(centered=True)"): "eps inside of the root",
    ("Keras", "RMSprop(centered=True)"): "eps inside of the root",
    ("optax", "rprop"): "every step comes one call late",
    ("Keras", "Adam"): "eps beside the uncorrected root: the paper's form before its section 2.1",
    ("Keras", "AdamW"): "eps beside the uncorrected root, as in its Adam",
    ("optax", "amsgrad"): "the largest of the corrected v",
    ("Keras", "Adam(amsgrad=True)"): "the largest v, uncorrected; eps as in its Adam",
    ("Keras", "Adamax"): "eps is added to u, not to the gradient's size",
    ("torch.optim", "NAdam"): "the same; keeps the product of the momenta in float32",
    ("optax", "nadam"): "no schedule: the momentum is b1 from the first step on",
    ("Keras", "Nadam"): "the momentum grows 250 times as fast: 0.96**t",
    ("optax", "radam"): "eps beside the corrected root",
    ("torch.optim", "Adafactor"): "v from the means of rows and columns; the step in units of the "
    "weights' size; clipped by its mean square",
    ("optax", "adafactor"): "keeps v whole for axes below 128; the learning rate does not fall",
    ("Keras", "Adafactor"): "the same, but for the place of its smallest eps",
    ("torch.optim", "Muon"): "the velocity, made orthogonal by five steps in bfloat16; times "
    "sqrt(max(1, rows / columns)); decoupled weight decay",
    ("optax", "contrib.muon"): "in the dtype of the weights; times sqrt(max(1, columns / rows)); "
    "no weight decay",
    ("Keras", "Muon"): "in the dtype of the weights; times 0.2 sqrt(max(rows, columns)); the decay "
    "is 0.004",
    ("optax", "contrib.schedule_free_adamw"): "AdamW whose gradient is taken between the fast "
    "weights and their mean",
    ("torch.optim", "NAdam(weight_decay=0.01, decoupled_weight_decay=True)"): "NAdam on weights "
    "that shrink first",
    ("optax", "nadamw"): "no schedule of the momentum; a smaller decay",
    ("optax", "yogi"): "corrects for the start; velocity and history begin at 1e-6",
    ("optax", "adan"): "1 - b2 in the place of its b2, and eps inside of the root too",
    ("optax", "optimistic_adam"): "with Nesterov's momentum inside",
    ("optax", "contrib.madgrad"): "the learning rate has eps added",
    ("optax", "contrib.prodigy"): "corrects for the start, as `bias_correction=True` does",
    ("optax", "contrib.dadapt_adamw"): "corrects for the start, as `bias_correction=True` does",
}  # fmt: skip

LEFT_OUT = (
    "Left out: `LBFGS` and optax's `momo` ask for the loss itself, `SparseAdam` for sparse "
    "gradients, optax's `sophia` for the loss's function; `noisy_sgd` and `dpsgd` draw noise."
)
SKIPPED = ("lbfgs", "momo", "momoadam", "sparseadam", "sophia", "noisysgd", "dpsgd")
