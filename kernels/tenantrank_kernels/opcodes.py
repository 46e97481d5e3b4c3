"""The instructions of a program, as plain integers shared by the lowering and the kernels, and where things stand.

A program is a header, then the instructions of its filter, then those of its scorer, then its ends, its clauses and its
chain. An instruction is three int32: an op and its operands ``a`` and ``b``; ``b`` counts from the program's first
number.
Conditions run on a stack of bitsets over the catalog, scores on a stack of vectors over the survivors.
"""

# Header, in int32.
MODE = 0  # which kernel ranks the survivors
FILTER = 1  # how many instructions the filter has
SCORE = 2  # how many the scorer has
NUMBERS = 3  # where its numbers begin; the first is the temperature of a SAMPLE
SELECTOR = 4
LIMIT = 5  # how many offers the selector keeps at most
ENDS = 6  # how many ends it has, three int32 each: field, and the numbers that bound it from below and above, or -1
CLAUSES = 7  # how many clauses the filter has, one int32 each: how many instructions end with it
CHAIN = 8  # how many rows its chain lists, two int32 each: row and place from 1
HEADER = 9

# Modes. An exact shortcut may always give way to GENERAL, but for BLEND, whose scorer is written otherwise.
GENERAL = 0
LEAST_FIRST = 1  # the score falls, weakly, as one field rises
GREATEST_FIRST = 2  # the score rises, weakly, with one field
BLEND = 3  # a sum of scores each linear in one field, which begins at 0; its scorer is made of PARTs

# Conditions. A leaf is a source, plus how it joins the bitset on top of the stack, plus INVERT or not.
ROW = 0  # rows[a]
LIVE = 1  # live_rows[a]
LE = 2  # columns[a] <= numbers[b]
LT = 3  # columns[a] <  numbers[b]
TOP = 4  # the top of the stack, popped; never with PUSH
SOURCE = 7
PUSH = 0
AND = 8
OR = 16
JOIN = 24
INVERT = 32

# Scores: each leaf pushes a vector.
FIELD = 64  # columns[a]; from the column count on, request_columns[a - count]
LITERAL = 65  # numbers[b]
ADD = 66  # pops two, pushes lower + upper
SCALE = 67  # times numbers[b]
NEGATE = 68  # 1 - s
CLAMP = 69  # numbers[b] is lo, numbers[b + 1] is hi
NORMALIZE = 70  # between the survivors' ends, pinned; a is which of the program's ends, or -1: of the vector itself
NORMALIZE_V1 = 71  # relative to the survivors, plain division
GATE = 72  # pops a bitset; 0 where it is not set

# Parts of a BLEND, of which each is one instruction and is added to those before it. A SCALE or NEGATE behind a part
# changes the part.
PART = 128  # columns[a] times numbers[b]; beside it stand the following
NORMALIZED = 1  # the column is normalized first, between the ends of the place that stands from bit PLACE on
REVERSED = 2  # then it is taken from 1
CONSTANT = 4  # numbers[b] alone; with none of the others
PLACE = 8

# Selectors.
ARGMAX = 0
ORDERED = 1
SAMPLE = 2
CHAINED = 3

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
