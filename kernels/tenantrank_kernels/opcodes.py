"""The instructions of a program, as plain integers shared by the lowering and the kernels.

An instruction is three int32: an op and its operands ``a`` and ``b``. A program runs on two stacks: one of bitsets
over the catalog (conditions), one of vectors over the survivors (scores). `SURVIVE` ends the filter: it pops the
bitset of offers that passed; what follows computes their scores and leaves one vector.
"""

# Conditions: each leaf pushes a bitset.
ROW = 0  # rows[a]; a negative one is live_rows[-a - 1]
LT = 1  # columns[a] <  constants[b], and so on for the other relations
LE = 2
EQ = 3
NE = 4
GE = 5
GT = 6
AND = 7  # pops two, pushes one
OR = 8
NOT = 9  # never sets a bit of the padding

SURVIVE = 10

# Scores: each leaf pushes a vector.
FIELD = 20  # columns[a]; from the column count on, request_columns[a - count]
LITERAL = 21  # constants[b]
ADD = 22  # pops two, pushes lower + upper
SCALE = 23  # times constants[b]
NEGATE = 24  # 1 - s
CLAMP = 25  # constants[b] is lo, constants[b + 1] is hi
NORMALIZE = 26  # relative to the survivors, with pinned ends
NORMALIZE_V1 = 27  # relative to the survivors, plain division
GATE = 28  # pops a bitset; 0 where it is not set

# Selectors.
ARGMAX = 0
ORDERED = 1
SAMPLE = 2
CHAIN = 3

# Live rows: conditions that depend on health or on the request, by their place in live_rows.
BREAKER_OPEN = 0
DISABLED = 1
MEETS_REQUEST = 2
SCOPE = 3
ENVELOPE = 4  # where the envelope observes otherwise than the policy; every offer where it does not
LIVE_ROWS = 5

# Request columns: scorers of the language's first version that depend on the request.
SPEED = 0
COST = 1
FREE_CREDIT = 2
REQUEST_COLUMNS = 3
