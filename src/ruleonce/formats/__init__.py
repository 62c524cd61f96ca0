"""How a tensor lies in memory, and in what precision it is computed.

float16 and bfloat16 are storage: a kernel computes in float32 and rounds once, to nearest even,
when it stores. Where tensors of one rule differ, it computes in the widest.
"""

from .floating import BFLOAT16 as BFLOAT16
from .floating import FLOAT16 as FLOAT16
from .floating import FLOAT32 as FLOAT32
from .floating import FLOAT64 as FLOAT64
from .floating import FORMATS as FORMATS
from .floating import INT8 as INT8
from .floating import INT16 as INT16
from .floating import UINT8 as UINT8
from .floating import Format as Format
from .floating import computed_in as computed_in
from .floating import format_of as format_of
from .floating import stored as stored
from .storage import Part as Part
from .storage import Storage as Storage
from .storage import per_block as per_block
from .stored_program import stored_program as stored_program
from .stored_program import stored_tensors as stored_tensors
