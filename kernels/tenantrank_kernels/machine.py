"""What kernels need of the machine that Numba does not offer: memory by its address, and blocks of lanes.

Each name stands for the same thing in three builds. Compiled, memory is a bare address and a block is a vector
register. Compiled with bounds checks, memory is an array, so that each single access is checked. Without the JIT all is
plain Python over arrays. Blocks of singles decide nothing on their own: they bound, and their error is accounted for
(`blends`). Blocks of doubles round as doubles alone do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils as _cgutils
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic, models, register_model

from tenantrank_kernels._compile import JIT_DISABLED

_codegen: Any = _cgutils

LANES = 64
"""Offers in a block of short integers or of bytes: one for each bit of a word."""
PIECE = 16
"""Offers in a block of single-precision values: a quarter of a word's, which few registers hold."""
EIGHT = 8
"""Offers in a block of double-precision values."""
WORDS = 8
"""Words in a block of bits."""

_ELEMENTS = {
    types.uint8: ir.IntType(8),
    types.float32: ir.FloatType(),
    types.float64: ir.DoubleType(),
    types.uint64: ir.IntType(64),
    types.uint16: ir.IntType(16),
}
_HALF = PIECE // 2
_QUARTER = ir.IntType(PIECE)  # of a word: the bits of a piece
_ALIGNED = {types.float32: 4, types.float64: 8, types.uint64: 8, types.uint16: 2}


class _BlockType(types.Type):
    """A block of equal numbers, held in vector registers."""

    def __init__(self, element: Any, count: int) -> None:
        self.element = element
        self.count = count
        super().__init__(f"block({element}, {count})")


@register_model(_BlockType)
class _BlockModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, ir.VectorType(_ELEMENTS[kind.element], kind.count))


_SINGLES = _BlockType(types.float32, PIECE)
_DOUBLES = _BlockType(types.float64, EIGHT)
_BITS = _BlockType(types.uint64, WORDS)
_SHORTS = _BlockType(types.uint16, LANES)
_BYTES = _BlockType(types.uint8, LANES)


def _memory(element: Any) -> Any:
    """Make the function that views memory as numbers of one type, given an address, or what needs no view."""

    def memory(_: Any, source: Any) -> Any:
        if isinstance(source, types.Array | types.BaseTuple):

            def same(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                return impl_ret_borrowed(context, builder, signature.return_type, values[0])

            return source(source), same
        pointer = types.CPointer(element)

        def cast(context: Any, builder: Any, _: Any, values: Any) -> Any:
            return builder.inttoptr(values[0], context.get_value_type(pointer))

        return pointer(types.int64), cast

    return (lambda source: source) if JIT_DISABLED else intrinsic(memory)


doubles = _memory(types.float64)
singles = _memory(types.float32)
integers = _memory(types.int32)
words = _memory(types.uint64)
shorts = _memory(types.uint16)
longs = _memory(types.int64)
table = _memory(types.int64)
"""The entries of a frame, given its handle."""


def _start(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Give the pointer to the first element of memory."""
    return _codegen.create_struct_proxy(kind)(context, builder, value).data if isinstance(kind, types.Array) else value


def _element_pointer(context: Any, builder: Any, kind: Any, value: Any, at: Any, block: Any) -> Any:
    """Give the pointer to the block that begins at an element of memory."""
    first = _start(context, builder, kind, value)
    return builder.bitcast(builder.gep(first, [at]), context.get_value_type(block).as_pointer())


def _loading(block: Any) -> Any:
    def load(_: Any, source: Any, at: Any) -> Any:
        def make(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            pointer = _element_pointer(context, builder, signature.args[0], values[0], values[1], block)
            return builder.load(pointer, align=_ALIGNED[block.element])

        return block(source, types.intp), make

    if JIT_DISABLED:
        return lambda source, at: source[at : at + block.count].copy()
    return intrinsic(load)


def _storing(block: Any) -> Any:
    def store(_: Any, target: Any, at: Any, values: Any) -> Any:
        def make(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            pointer = _element_pointer(context, builder, signature.args[0], given[0], given[1], block)
            builder.store(given[2], pointer, align=_ALIGNED[block.element])
            return context.get_dummy_value()

        return types.void(target, types.intp, block), make

    def plain(target: Any, at: int, values: Any) -> None:
        target[at : at + block.count] = values

    return plain if JIT_DISABLED else intrinsic(store)


def _making(result: Any, arguments: tuple[Any, ...], build: Callable[..., Any], plain: Callable[..., Any]) -> Any:
    """Make an instruction: its code under the JIT, what it means in plain Python without."""
    if JIT_DISABLED:
        return plain
    made = (
        result(*arguments),
        lambda context, builder, _, values: build(context, builder, *values),
    )

    # Numba reads the number of arguments off the Python signature.
    def one(_: Any, a: Any) -> Any:
        return made

    def two(_: Any, a: Any, b: Any) -> Any:
        return made

    def three(_: Any, a: Any, b: Any, c: Any) -> Any:
        return made

    return intrinsic((one, two, three)[len(arguments) - 1])


def _same_in_all(context: Any, builder: Any, value: Any, block: Any) -> Any:
    kind = context.get_value_type(block)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), block.count), [0] * block.count)
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), lanes)


def _vector_call(context: Any, builder: Any, name: str, block: Any, result: Any, *values: Any, **flags: Any) -> Any:
    kind = ir.FunctionType(result, [context.get_value_type(block)] * len(values))
    return builder.call(_codegen.get_or_insert_function(builder.module, kind, name), list(values), **flags)


def _chosen(context: Any, builder: Any, bits: Any, first: Any, second: Any) -> Any:
    return builder.select(builder.bitcast(bits, ir.VectorType(ir.IntType(1), LANES)), first, second)


def _keeping() -> Any:
    def only(_: Any, source: Any, at: Any, values: Any) -> Any:
        def make(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            # Read from memory to all lanes at once: a word at hand would first be shifted and moved to a vector.
            quarters = builder.bitcast(_start(context, builder, signature.args[0], given[0]), _QUARTER.as_pointer())
            bits = builder.load(builder.gep(quarters, [given[1]]))
            short, whole = ir.VectorType(_QUARTER, 2 * PIECE), ir.VectorType(ir.IntType(32), PIECE)
            undefined = ir.Constant(short, ir.Undefined)
            first = builder.insert_element(undefined, bits, ir.Constant(ir.IntType(32), 0))
            zeros = ir.Constant(ir.VectorType(ir.IntType(32), 2 * PIECE), [0] * 2 * PIECE)
            in_each = builder.bitcast(builder.shuffle_vector(first, undefined, zeros), whole)
            # The bit of a lane becomes its sign, which is what chooses where there are no masks.
            signs = builder.shl(in_each, ir.Constant(whole, [31 - at for at in range(PIECE)]))
            kept = builder.icmp_signed("<", signs, ir.Constant(whole, [0] * PIECE))
            nothing = ir.Constant(given[2].type, [ir.Constant(ir.FloatType(), float("-inf"))] * PIECE)
            return builder.select(kept, given[2], nothing)

        return _SINGLES(source, types.intp, _SINGLES), make

    def plain(source: Any, at: int, values: Any) -> Any:
        bits = int(source[at // 4]) >> at % 4 * PIECE
        return np.where(_holds(bits)[:PIECE], values, np.float32(-np.inf))

    return plain if JIT_DISABLED else intrinsic(only)


def _reached(context: Any, builder: Any, block: Any, bound: Any) -> Any:
    return builder.fcmp_ordered(">=", block, _same_in_all(context, builder, bound, _SINGLES))


def _halves(builder: Any, block: Any) -> Any:
    # Machines without masks compare eight lanes at once.
    kind = ir.VectorType(ir.IntType(32), _HALF)
    undefined = ir.Constant(block.type, ir.Undefined)
    return [
        builder.shuffle_vector(block, undefined, ir.Constant(kind, list(range(first, first + _HALF))))
        for first in (0, _HALF)
    ]


def _reaching() -> Any:
    def reaching(_: Any, a: Any, b: Any, c: Any, d: Any, bound: Any) -> Any:
        def make(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            # One comparison of all lanes: those of each block alone would be put into a word with many more steps.
            low, high = (_side_by_side(builder, *pair) for pair in (given[0:2], given[2:4]))
            lanes = _side_by_side(builder, low, high)
            least = _side_by_side(builder, *[_same_in_all(context, builder, given[4], _SINGLES)] * 2)
            reached = builder.fcmp_ordered(">=", lanes, _side_by_side(builder, least, least))
            return builder.bitcast(reached, ir.IntType(LANES))

        return types.uint64(_SINGLES, _SINGLES, _SINGLES, _SINGLES, types.float32), make

    def plain(a: Any, b: Any, c: Any, d: Any, bound: Any) -> Any:
        return _bits_of(np.concatenate((a, b, c, d)) >= bound)

    return plain if JIT_DISABLED else intrinsic(reaching)


def _side_by_side(builder: Any, low: Any, high: Any) -> Any:
    lanes = list(range(2 * low.type.count))
    return builder.shuffle_vector(low, high, ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes))


def _reaches(context: Any, builder: Any, block: Any, bound: Any) -> Any:
    low, high = _halves(builder, block)
    most = builder.select(builder.fcmp_ordered(">", low, high), low, high)
    least = _halves(builder, _same_in_all(context, builder, bound, _SINGLES))[0]
    lanes = builder.bitcast(builder.fcmp_ordered(">=", most, least), ir.IntType(_HALF))
    return builder.zext(builder.icmp_unsigned("!=", lanes, ir.Constant(lanes.type, 0)), ir.IntType(64))


def _rescaled(context: Any, builder: Any, block: Any, low: Any, high: Any) -> Any:
    least, most = (_same_in_all(context, builder, end, _DOUBLES) for end in (low, high))
    zero, one = (ir.Constant(block.type, [ir.Constant(ir.DoubleType(), end)] * EIGHT) for end in (0.0, 1.0))
    scaled = builder.fdiv(builder.fsub(block, least), builder.fsub(most, least))
    # What is not above the low end comes to no more than 0, or to NaN.
    scaled = builder.select(builder.fcmp_ordered(">", scaled, zero), scaled, zero)
    scaled = builder.select(builder.fcmp_ordered(">=", block, most), one, scaled)
    return builder.select(builder.fcmp_ordered(">", most, least), scaled, zero)


def _rescaled_plain(block: Any, low: float, high: float) -> Any:
    with np.errstate(all="ignore"):
        scaled = (block - low) / (high - low)
    scaled[np.isnan(scaled) | (block <= low)] = 0.0
    scaled[block >= high] = 1.0
    return scaled if high > low else np.zeros(EIGHT)


def _clamped(context: Any, builder: Any, block: Any, low: Any, high: Any) -> Any:
    least, most = (_same_in_all(context, builder, end, _DOUBLES) for end in (low, high))
    below = builder.select(builder.fcmp_ordered(">", block, most), most, block)
    return builder.select(builder.fcmp_ordered("<", block, least), least, below)


def _gathering() -> Any:
    def gather(_: Any, source: Any, rows: Any, at: Any) -> Any:
        def make(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            block = ir.Constant(context.get_value_type(_DOUBLES), ir.Undefined)
            values, places = (_start(context, builder, *each) for each in zip(signature.args, given[:2], strict=False))
            for lane in range(EIGHT):
                place = builder.add(given[2], ir.Constant(given[2].type, lane))
                row = builder.sext(builder.load(builder.gep(places, [place])), ir.IntType(64))
                value = builder.load(builder.gep(values, [row]))
                block = builder.insert_element(block, value, ir.Constant(ir.IntType(32), lane))
            return block

        return _DOUBLES(source, rows, types.intp), make

    return (lambda source, rows, at: source[rows[at : at + EIGHT]]) if JIT_DISABLED else intrinsic(gather)


def _marked(context: Any, builder: Any, bits: Any, mark: Any, block: Any) -> Any:
    nothing = ir.Constant(block.type, None)
    marks = _chosen(context, builder, bits, _same_in_all(context, builder, mark, _BYTES), nothing)
    return builder.or_(block, marks)


def _joined(context: Any, builder: Any, block: Any, first: Any, second: Any) -> Any:
    name = f"llvm.fmuladd.v{PIECE}f32"
    return _vector_call(context, builder, name, _SINGLES, block.type, first, second, block)


def _greatest(context: Any, builder: Any, block: Any) -> Any:
    name = f"llvm.vector.reduce.fmax.v{PIECE}f32"
    return _vector_call(context, builder, name, _SINGLES, ir.FloatType(), block, fastmath=("nnan",))


def _counted(context: Any, builder: Any, block: Any) -> Any:
    kind = context.get_value_type(_BITS)
    counts = _vector_call(context, builder, f"llvm.ctpop.v{WORDS}i64", _BITS, kind, block)
    return _vector_call(context, builder, f"llvm.vector.reduce.add.v{WORDS}i64", _BITS, ir.IntType(64), counts)


def _counted_in(context: Any, builder: Any, word: Any) -> Any:
    return builder.ctpop(word)


def _any_set(context: Any, builder: Any, block: Any) -> Any:
    kind = context.get_value_type(_BITS)
    return _vector_call(context, builder, f"llvm.vector.reduce.or.v{WORDS}i64", _BITS, kind.element, block)


def _lowest(context: Any, builder: Any, word: Any) -> Any:
    return builder.cttz(word, ir.Constant(ir.IntType(1), 1))


def _shorts_where(builder: Any, holds: Any) -> Any:
    """Give ones in all bits of the lanes of short integers for which something holds."""
    return builder.sext(holds, ir.VectorType(ir.IntType(16), LANES))


def _times_short(context: Any, builder: Any, block: Any, factor: Any) -> Any:
    wide = ir.VectorType(ir.IntType(32), LANES)
    product = builder.mul(builder.sext(block, wide), builder.sext(factor, wide))
    return builder.trunc(builder.lshr(product, ir.Constant(wide, [16] * LANES)), block.type)


def _times_short_plain(block: Any, factor: Any) -> Any:
    return (block.view(np.int16).astype(np.int32) * factor.view(np.int16) >> 16).astype(np.int16).view(np.uint16)


def _filling() -> Any:
    def filled(_: Any, source: Any, at: Any, block: Any) -> Any:
        def make(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            # Read from memory, a quarter of the word to each quarter of the lanes: see `only`.
            quarters = builder.bitcast(_start(context, builder, signature.args[0], given[0]), _QUARTER.as_pointer())
            places = [builder.add(given[1], ir.Constant(given[1].type, place)) for place in range(LANES // PIECE)]
            loads = [builder.load(builder.gep(quarters, [place])) for place in places]
            kind = ir.VectorType(_QUARTER, PIECE)
            zeros = ir.Constant(ir.VectorType(ir.IntType(32), PIECE), [0] * PIECE)
            undefined = ir.Constant(kind, ir.Undefined)
            splats = [
                builder.shuffle_vector(
                    builder.insert_element(undefined, bits, ir.Constant(ir.IntType(32), 0)), undefined, zeros
                )
                for bits in loads
            ]
            low, high = (_side_by_side(builder, *pair) for pair in (splats[:2], splats[2:]))
            own = ir.Constant(given[2].type, [1 << lane % PIECE for lane in range(LANES)])
            set_ = builder.and_(_side_by_side(builder, low, high), own)
            lacks = builder.icmp_unsigned("==", set_, ir.Constant(set_.type, None))
            return builder.or_(given[2], _shorts_where(builder, lacks))

        return _SHORTS(source, types.intp, _SHORTS), make

    def plain(source: Any, at: int, block: Any) -> Any:
        return np.where(_holds(source[at // 4]), block, np.uint16(0xFFFF))

    return plain if JIT_DISABLED else intrinsic(filled)


def _at_most(context: Any, builder: Any, block: Any, bound: Any) -> Any:
    reached = builder.icmp_unsigned("<=", block, _same_in_all(context, builder, bound, _SHORTS))
    return builder.bitcast(reached, ir.IntType(LANES))


def _dropped(context: Any, builder: Any, block: Any, value: Any) -> Any:
    equal = builder.icmp_unsigned("==", block, _same_in_all(context, builder, value, _SHORTS))
    return builder.or_(block, _shorts_where(builder, equal))


def _least_short(context: Any, builder: Any, block: Any) -> Any:
    return _vector_call(context, builder, f"llvm.vector.reduce.umin.v{LANES}i16", _SHORTS, ir.IntType(16), block)


def _bits_of(holds: Any) -> np.uint64:
    return np.uint64(sum(1 << int(at) for at in np.flatnonzero(holds)))


def _holds(bits: Any) -> Any:
    return np.array([int(bits) >> at & 1 for at in range(LANES)], dtype=bool)


load_singles = _loading(_SINGLES)
store_singles = _storing(_SINGLES)
store_doubles = _storing(_DOUBLES)
gathered = _gathering()
"""The block of the values of eight rows, which stand one after the other from a place on."""
load_shorts = _loading(_SHORTS)
store_shorts = _storing(_SHORTS)
load_bits = _loading(_BITS)
store_bits = _storing(_BITS)

in_all = _making(
    _SINGLES,
    (types.float32,),
    lambda context, builder, value: _same_in_all(context, builder, value, _SINGLES),
    lambda value: np.full(PIECE, value, dtype=np.float32),
)
"""A block with one value in every lane."""
double_in_all = _making(
    _DOUBLES,
    (types.float64,),
    lambda context, builder, value: _same_in_all(context, builder, value, _DOUBLES),
    lambda value: np.full(EIGHT, value),
)
byte_in_all = _making(
    _BYTES,
    (types.uint8,),
    lambda context, builder, value: _same_in_all(context, builder, value, _BYTES),
    lambda value: np.full(LANES, value, dtype=np.uint8),
)
marked = _making(
    _BYTES,
    (types.uint64, types.uint8, _BYTES),
    _marked,
    lambda bits, mark, block: np.where(_holds(bits), block | mark, block),
)
"""A block of bytes with further bits set in the lanes whose bit is set."""
widened = _making(
    _SHORTS,
    (_BYTES,),
    lambda context, builder, block: builder.zext(block, context.get_value_type(_SHORTS)),
    lambda block: block.astype(np.uint16),
)
"""A block of bytes as short integers."""
joined = _making(_SINGLES, (_SINGLES, _SINGLES, _SINGLES), _joined, lambda a, b, c: a + b * c)
"""A block and the product of two others; whether the product is rounded by itself depends on the machine."""
added = _making(_DOUBLES, (_DOUBLES, _DOUBLES), lambda _, builder, a, b: builder.fadd(a, b), lambda a, b: a + b)
minus = _making(_DOUBLES, (_DOUBLES, _DOUBLES), lambda _, builder, a, b: builder.fsub(a, b), lambda a, b: a - b)
times = _making(_DOUBLES, (_DOUBLES, _DOUBLES), lambda _, builder, a, b: builder.fmul(a, b), lambda a, b: a * b)
rescaled = _making(_DOUBLES, (_DOUBLES, types.float64, types.float64), _rescaled, _rescaled_plain)
"""A block rescaled to 0–1 between two ends, as `normalize` of `scores` does where values are pinned."""
clamped = _making(
    _DOUBLES,
    (_DOUBLES, types.float64, types.float64),
    _clamped,
    lambda a, b, c: np.where(a < b, b, np.where(a > c, c, a)),
)
"""A block held between two numbers; the first wins where it is the greater."""
greater = _making(
    _SINGLES,
    (_SINGLES, _SINGLES),
    lambda _, builder, a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b),
    lambda a, b: np.where(a > b, a, b),
)
"""The greater of two blocks, lane by lane; the second's where either is NaN."""
only = _keeping()
"""A block with -inf in the lanes whose bit is not set, ``only(bits, at, block)``: ``at`` counts pieces of words."""
short_in_all = _making(
    _SHORTS,
    (types.uint16,),
    lambda context, builder, value: _same_in_all(context, builder, value, _SHORTS),
    lambda value: np.full(LANES, value, dtype=np.uint16),
)
chosen_shorts = _making(
    _SHORTS, (types.uint64, _SHORTS, _SHORTS), _chosen, lambda bits, a, b: np.where(_holds(bits), a, b)
)
plus_shorts = _making(_SHORTS, (_SHORTS, _SHORTS), lambda _, builder, a, b: builder.add(a, b), lambda a, b: a + b)
"""The sum of two blocks of short integers, of which what does not fit is lost."""
times_short = _making(_SHORTS, (_SHORTS, _SHORTS), _times_short, _times_short_plain)
"""The upper halves of the products of two blocks of short integers, taken as signed ones."""
lesser_shorts = _making(
    _SHORTS,
    (_SHORTS, _SHORTS),
    lambda _, builder, a, b: builder.select(builder.icmp_unsigned("<", a, b), a, b),
    lambda a, b: np.minimum(a, b),
)
filled = _filling()
"""A block with the greatest short integer in the lanes whose bit is not set, ``filled(bits, word, block)``."""
dropped = _making(
    _SHORTS,
    (_SHORTS, types.uint16),
    _dropped,
    lambda block, value: np.where(block == value, np.uint16(0xFFFF), block),
)
"""A block with the greatest short integer in place of a value."""
least_short = _making(types.uint16, (_SHORTS,), _least_short, lambda block: block.min())
at_most = _making(types.uint64, (_SHORTS, types.uint16), _at_most, lambda block, bound: _bits_of(block <= bound))
"""The lanes of a block that are at most a bound, as a word."""
reaching = _reaching()
"""The lanes of four blocks that reach a bound, as a word: those of the first block are the lowest bits."""
reaches = _making(
    types.uint64,
    (_SINGLES, types.float32),
    _reaches,
    lambda block, bound: np.uint64((block >= bound).any()),
)
"""1 where any lane of a block without NaN reaches a bound, else 0."""
lowered = _making(
    _SINGLES,
    (_SINGLES, types.float32, types.float32),
    lambda context, builder, block, bound, value: builder.select(
        _reached(context, builder, block, bound), _same_in_all(context, builder, value, _SINGLES), block
    ),
    lambda block, bound, value: np.where(block >= bound, value, block),
)
"""A block whose lanes that reach a bound have a value in its place."""
greatest = _making(types.float32, (_SINGLES,), _greatest, lambda block: block.max())
"""The greatest lane of a block without NaN."""
both = _making(_BITS, (_BITS, _BITS), lambda _, builder, a, b: builder.and_(a, b), lambda a, b: a & b)
either = _making(_BITS, (_BITS, _BITS), lambda _, builder, a, b: builder.or_(a, b), lambda a, b: a | b)
without = _making(_BITS, (_BITS, _BITS), lambda _, builder, a, b: builder.and_(a, builder.not_(b)), lambda a, b: a & ~b)
"""The bits of the first block that the second lacks."""
inverted = _making(_BITS, (_BITS,), lambda _, builder, a: builder.not_(a), lambda a: ~a)
any_set = _making(types.uint64, (_BITS,), _any_set, lambda block: np.bitwise_or.reduce(block))
"""A word that is not 0 where any bit of a block is set."""
counted = _making(types.int64, (_BITS,), _counted, lambda block: int(sum(int(word).bit_count() for word in block)))
"""How many bits of a block are set."""
lowest = _making(types.int64, (types.uint64,), _lowest, lambda word: (int(word) & -int(word)).bit_length() - 1)
"""The place of the lowest set bit of a word that is not 0."""
counted_in = _making(types.int64, (types.uint64,), _counted_in, lambda word: int(word).bit_count())
"""How many bits of a word are set."""
