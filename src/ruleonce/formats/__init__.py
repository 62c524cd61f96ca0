"""How a tensor lies in memory, and in what precision it is computed.

float16 and bfloat16 are storage: a kernel computes in float32 and rounds once, to nearest even,
when it stores. Where tensors of one rule differ, it computes in the widest. A tensor may be stored
in parts too, such as codes of 8 bits with a scale for each block: see `Storage` and `Choice`.
"""

from .blocks import float8_e4m3 as float8_e4m3
from .blocks import float8_e5m2 as float8_e5m2
from .blocks import int4 as int4
from .blocks import int8 as int8
from .blocks import int8_linear as int8_linear
from .blocks import uint4_sqrt as uint4_sqrt
from .blocks import uint8_linear as uint8_linear
from .blocks import uint8_sqrt as uint8_sqrt
from .blocks import uint8_sqrt_stochastic as uint8_sqrt_stochastic
from .choice import Choice as Choice
from .choice import Formats as Formats
from .choice import named as named
from .floating import BFLOAT16 as BFLOAT16
from .floating import FLOAT16 as FLOAT16
from .floating import FLOAT32 as FLOAT32
from .floating import FLOAT64 as FLOAT64
from .floating import FORMATS as FORMATS
from .floating import INT4 as INT4
from .floating import INT8 as INT8
from .floating import INT16 as INT16
from .floating import INTEGERS as INTEGERS
from .floating import UINT4 as UINT4
from .floating import UINT8 as UINT8
from .floating import Format as Format
from .floating import computed_in as computed_in
from .floating import format_of as format_of
from .floating import loaded as loaded
from .floating import stored as stored
from .functions import bits as bits
from .functions import block_max as block_max
from .functions import from_bits as from_bits
from .functions import integer as integer
from .functions import number as number
from .functions import round as round  # noqa: A004  (Python's cannot take a traced number)
from .functions import small_integer as small_integer
from .functions import within as within
from .masters import bfloat16_8 as bfloat16_8
from .masters import bfloat16_16 as bfloat16_16
from .masters import float16_8 as float16_8
from .masters import float16_16 as float16_16
from .stochastic import bfloat16_stochastic as bfloat16_stochastic
from .storage import Part as Part
from .storage import Storage as Storage
from .storage import per_block as per_block
from .stored_program import stored_program as stored_program
from .stored_program import stored_tensors as stored_tensors
