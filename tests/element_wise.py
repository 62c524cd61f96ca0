"""Which rules work on each element alone, as their graphs say: those that JavaScript has."""

from ruleonce.language import ops
from ruleonce.language.graph import in_order

ON_TENSORS = {op for op in ops.OPS.values() if op.gives_one or op.whole}


def is_element_wise(rule, **switches):
    """Whether no operation of the rule looks at whole tensors."""
    program = rule.program(**switches)
    nodes = in_order((*program.outputs.values(), *program.scalars.values()))
    return not ON_TENSORS & {node.op for node in nodes}
