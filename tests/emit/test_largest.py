"""The largest of each of several vectors, found together."""

import numpy as np
import pytest

from ruleonce.emit.llvm_lanes import Lanes
from ruleonce.emit.llvm_largest import largest
from ruleonce.engines.native import compile_ir


def compiled(lanes, count, whole):
    """A function that reads vectors, and writes behind them what is the largest in each."""
    kind, many = lanes.of(whole), Lanes(count).of(whole)
    suffix = lanes.suffix("i", int(whole[1:]))
    lines = [f"declare {kind} @llvm.umax.{suffix}({kind}, {kind})", "define void @f(ptr %at) {"]
    for place in range(count + 1):
        lines.append(f"%at.{place} = getelementptr {kind}, ptr %at, i64 {place}")
        if place < count:
            lines.append(f"%x.{place} = load {kind}, ptr %at.{place}, align 4")
    lines += largest("most", [f"%x.{place}" for place in range(count)], whole, lanes)
    lines += [f"store {many} %most.largest, ptr %at.{count}, align 4", "ret void", "}", ""]
    return compile_ir("\n".join(lines), "f")


@pytest.mark.parametrize("whole", ["i32", "i64"])
@pytest.mark.parametrize(
    ("count", "lanes"), [(x, y) for x in (1, 2, 4, 8) for y in (2, 4, 8, 16) if x <= y]
)
def test_each_lane_of_each_vector_can_be_the_largest(count, lanes, whole):
    function = compiled(Lanes(lanes), count, whole)
    for place in range(lanes):
        memory = np.arange((count + 1) * lanes, dtype=f"uint{whole[1:]}")
        vectors = memory[: count * lanes].reshape(count, lanes)
        vectors[np.arange(count), (place + np.arange(count)) % lanes] += 1 << 31
        function.call(memory.ctypes.data)

        np.testing.assert_array_equal(memory[count * lanes :][:count], vectors.max(axis=1))
