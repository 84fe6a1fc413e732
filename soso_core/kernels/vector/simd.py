"""Numba type of four doubles (SIMD), for vector code that the compiler does not generate by itself.

`load`, `store`, `splat` and the operators + - * work on `Vec4`, LLVM's <4 x double>.  Products and sums may be fused
(the flag `contract`); nothing else is reordered, so results are reproducible across compiler versions.  A machine
without 256-bit registers uses two of 128.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import ConcreteTemplate, Signature, infer_global
from numba.extending import intrinsic, models, register_model

WIDTH = 4
"""Doubles in one Vec4."""
_VECTOR = ir.VectorType(ir.DoubleType(), WIDTH)
_CONTRACT = ("contract",)


def _generator(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a code generator into a function that kernels can call; typed, unlike Numba's own decorator."""
    made: Callable[..., Any] = intrinsic(function)
    return made


class Vec4Type(types.Type):
    """The type of four doubles in one register; it exists inside kernels only."""

    def __init__(self) -> None:
        super().__init__(name="Vec4")


vec4 = Vec4Type()


@register_model(Vec4Type)
class _Vec4Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)  # type: ignore[no-untyped-call]


def _address(context: Any, builder: Any, array_type: Any, array: Any, row: Any, column: Any) -> Any:
    """Return the address of array[row, column] (C order) as a pointer to four doubles."""
    view = context.make_array(array_type)(context, builder, value=array)
    width = cgutils.unpack_tuple(builder, view.shape)[1]
    index = builder.add(builder.mul(row, width), column)
    return builder.bitcast(builder.gep(view.data, [index]), _VECTOR.as_pointer())


@_generator
def load(typing_context: Any, array: Any, row: Any, column: Any) -> Any:
    """Return array[row, column:column+4] of a C-contiguous two-dimensional array."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_address(context, builder, signature.args[0], *arguments), align=8)

    return vec4(array, types.intp, types.intp), generate


@_generator
def store(typing_context: Any, array: Any, row: Any, column: Any, value: Any) -> Any:
    """Write `value` to array[row, column:column+4] of a C-contiguous two-dimensional array."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature.args[0], *arguments[:3])
        builder.store(arguments[3], address, align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, vec4), generate


@_generator
def splat(typing_context: Any, number: Any) -> Any:
    """Return four times the same number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _splat(builder, arguments[0])

    return vec4(types.float64), generate


@_generator
def broadcast(typing_context: Any, array: Any, row: Any, column: Any) -> Any:
    """Return four times array[row, column] of a C-contiguous array; indices must not be negative."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature.args[0], *arguments)
        return _splat(builder, builder.load(builder.bitcast(address, ir.DoubleType().as_pointer())))

    return vec4(array, types.intp, types.intp), generate


@_generator
def item(typing_context: Any, array: Any, index: Any) -> Any:
    """Return array[index] of a contiguous one-dimensional array, without a test for a negative index."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, value=arguments[0])
        number = builder.load(builder.gep(view.data, [arguments[1]]))
        return context.cast(builder, number, signature.args[0].dtype, signature.return_type)

    result = types.intp if isinstance(array.dtype, types.Integer) else array.dtype
    return result(array, types.intp), generate


@_generator
def get(typing_context: Any, array: Any, row: Any, column: Any) -> Any:
    """Return array[row, column] of a C-contiguous array of doubles; indices must not be negative."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature.args[0], *arguments)
        return builder.load(builder.bitcast(address, ir.DoubleType().as_pointer()))

    return types.float64(array, types.intp, types.intp), generate


@_generator
def put(typing_context: Any, array: Any, row: Any, column: Any, value: Any) -> Any:
    """Write `value` to array[row, column] of a C-contiguous array of doubles; indices must not be negative."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature.args[0], *arguments[:3])
        builder.store(arguments[3], builder.bitcast(address, ir.DoubleType().as_pointer()))
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, types.float64), generate


def _splat(builder: Any, number: Any) -> Any:
    first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    return _shuffle(builder, first, ir.Constant(_VECTOR, ir.Undefined), [0] * WIDTH)


def _shuffle(builder: Any, left: Any, right: Any, order: list[int]) -> Any:
    """Return the entries of two vectors, counted through both, in this order."""
    return builder.shuffle_vector(left, right, ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), order))


def _register_operator(symbol: Any, operation: str) -> None:
    """Give Numba an operator on Vec4 and Vec4, or Vec4 and a number on either side."""
    cases = ((vec4, vec4), (vec4, types.float64), (types.float64, vec4))

    class Template(ConcreteTemplate):
        cases = [Signature(vec4, case, None) for case in ((vec4, vec4), (vec4, types.float64), (types.float64, vec4))]

    infer_global(symbol)(Template)

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vectors = [
            value if kind is vec4 else _splat(builder, value)
            for kind, value in zip(signature.args, arguments, strict=True)
        ]
        return getattr(builder, operation)(*vectors, flags=_CONTRACT)

    for case in cases:
        lower_builtin(symbol, *case)(lower)


for _symbol, _operation in {
    operator.add: "fadd",
    operator.sub: "fsub",
    operator.mul: "fmul",
    operator.truediv: "fdiv",
}.items():
    _register_operator(_symbol, _operation)


@_generator
def square_root(typing_context: Any, value: Any) -> Any:
    """Return the square root of each of the four."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_VECTOR, [_VECTOR])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.sqrt.v4f64")
        return builder.call(function, arguments)

    return vec4(vec4), generate


@_generator
def sums(typing_context: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Return (Σa, Σb, Σc, Σd)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def add_shuffled(left: Any, right: Any, first: list[int], second: list[int]) -> Any:
            return builder.fadd(_shuffle(builder, left, right, first), _shuffle(builder, left, right, second))

        # lanes: l0 with l1, r0 with r1, l2 with l3, r2 with r3
        a, b, c, d = arguments
        left, right = add_shuffled(a, b, [0, 4, 2, 6], [1, 5, 3, 7]), add_shuffled(c, d, [0, 4, 2, 6], [1, 5, 3, 7])
        return add_shuffled(left, right, [0, 1, 4, 5], [2, 3, 6, 7])

    return vec4(vec4, vec4, vec4, vec4), generate


@_generator
def transpose(typing_context: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Return the columns of the four rows a, b, c, d as four Vec4."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, b, c, d = arguments
        even, odd = [0, 4, 2, 6], [1, 5, 3, 7]
        low, high = [0, 1, 4, 5], [2, 3, 6, 7]
        pairs = [(_shuffle(builder, a, b, order), _shuffle(builder, c, d, order)) for order in (even, odd)]
        columns = [_shuffle(builder, *pairs[k % 2], high if k > 1 else low) for k in range(WIDTH)]
        return context.make_tuple(builder, signature.return_type, columns)

    return types.UniTuple(vec4, WIDTH)(vec4, vec4, vec4, vec4), generate


def _choose(comparison: str) -> Any:
    @_generator
    def choose(typing_context: Any, left: Any, right: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.select(builder.fcmp_ordered(comparison, *arguments), *arguments)

        return vec4(vec4, vec4), generate

    return choose


smaller, larger = _choose("<"), _choose(">")
"""The smaller, the larger of two Vec4 in each place."""


@_generator
def one_if_smaller(typing_context: Any, left: Any, right: Any) -> Any:
    """Return 1 in each place where left < right, otherwise 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        ones, zeros = (ir.Constant(_VECTOR, [number] * WIDTH) for number in (1.0, 0.0))
        return builder.select(builder.fcmp_ordered("<", *arguments), ones, zeros)

    return vec4(vec4, vec4), generate


@_generator
def any_smaller(typing_context: Any, left: Any, right: Any) -> Any:
    """Return whether left < right in at least one place."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = builder.bitcast(
            builder.zext(builder.fcmp_ordered("<", *arguments), ir.VectorType(ir.IntType(32), WIDTH)), ir.IntType(128)
        )
        return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(128), 0))

    return types.boolean(vec4, vec4), generate


@_generator
def total(typing_context: Any, value: Any) -> Any:
    """Return the sum of the four."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        parts = [builder.extract_element(arguments[0], ir.Constant(ir.IntType(32), k)) for k in range(WIDTH)]
        return builder.fadd(builder.fadd(parts[0], parts[1]), builder.fadd(parts[2], parts[3]))

    return types.float64(vec4), generate


@_generator
def least(typing_context: Any, value: Any) -> Any:
    """Return the smallest of the four."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        parts = [builder.extract_element(arguments[0], ir.Constant(ir.IntType(32), k)) for k in range(WIDTH)]
        smallest = parts[0]
        for part in parts[1:]:
            smallest = builder.select(builder.fcmp_ordered("<", part, smallest), part, smallest)
        return smallest

    return types.float64(vec4), generate


def round_up_to_width(n: int) -> int:
    """Return the smallest multiple of WIDTH that is not below n."""
    return -(-n // WIDTH) * WIDTH
