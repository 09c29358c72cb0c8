"""From kernels to LLVM bitcode: numba types and lowers each function once, as a plain C function of one module.

numba's own way makes a library of each function, links it into each caller and optimises the chain again there. Here
every function calls the others by their symbols and LLVM comes later, over all of them. Passes of numba that kernels
have no use for (closures, generators, context managers, parallel loops, object mode) are left out.

Invariants:
1. Code means what numba's would: the same typing and lowering, no fast maths, a division by zero gives infinity.
2. Kernels raise nothing and own no memory: what numba would raise is not looked at, what it would allocate does not
   compile.
3. Other users of numba in the process are not affected.

Importing this module imports numba; only a process that compiles does so.
"""

# mypy: disable-error-code="no-untyped-call"
# numba declares types for few of its own functions.

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import compiler, funcdesc, sigutils, types
from numba.core.cgutils import normalize_ir_text
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import LoweringPass, PassManager, register_pass
from numba.core.lowering import Lower
from numba.core.registry import cpu_target
from numba.core.typed_passes import IRLegalization, NopythonTypeInference, PreLowerStripPhis
from numba.core.typing.templates import signature
from numba.core.untyped_passes import FixupArgs, GenericRewrites, IRProcessing, ReconstructSSA, TranslateByteCode
from numba.np.arrayobj import populate_array

from karat.kernels._jit import Kernel, dimensions

_WORD: Final = ir.IntType(64)
_PASSES: Final = (
    TranslateByteCode,
    FixupArgs,
    IRProcessing,
    GenericRewrites,
    ReconstructSSA,
    NopythonTypeInference,
    PreLowerStripPhis,
    IRLegalization,
)
_WORKING: Final[list[bool]] = []


def function_type(kernel: Kernel) -> Any:
    """Return the type by which numba calls a kernel; outside of this module's own work its symbol is made known."""
    if not _WORKING:
        llvm.add_symbol(kernel.symbol, kernel.address)
    return _typed(kernel.symbol, kernel.signature)


@cache
def _typed(symbol: str, text: str) -> Any:
    given, result = sigutils.normalize_signature(text)
    return types.ExternalFunction(symbol, signature(result, *given))


def lowered(kernels: Sequence[Kernel]) -> bytes:
    """Return the bitcode of a module that defines the kernels, their entries for Python, and nothing else visible."""
    whole = llvm.parse_assembly("")
    helpers: dict[int, Any] = {}
    with global_compiler_lock, _at_work():
        for kernel in kernels:
            whole.link_in(_module_of(kernel, helpers))
        for helper in helpers.values():
            whole.link_in(helper._get_module_for_linking(), preserve=True)
    visible = {each for kernel in kernels for each in kernel.symbols}
    for thing in (*whole.functions, *whole.global_variables):
        if not thing.is_declaration and thing.name not in visible:
            thing.linkage = "internal"
    return bytes(whole.as_bitcode())


@contextmanager
def _at_work() -> Iterator[None]:
    """Let numba remember what a call of numbers comes to, while this is open; a third of the time is spent on that.

    The answer depends on the function and the types only. Garbage is not looked for meanwhile: 5 % of the time.
    """
    context: Any = cpu_target.typing_context
    resolve, collecting = context.resolve_function_type, gc.isenabled()
    known: dict[Any, Any] = {}

    def remembered(function: Any, given: Any, named: Any) -> Any:
        plain = tuple(types.unliteral(kind) for kind in given)
        numbers = all(isinstance(kind, types.Number | types.Boolean) for kind in plain)
        if named or not numbers or not isinstance(function, types.Function):
            return resolve(function, given, named)
        found = known.get((function, plain))
        if found is None:
            found = resolve(function, plain, named)
            if found is None:
                return resolve(function, given, named)
            known[function, plain] = found
        return found

    context.resolve_function_type = remembered
    gc.disable()
    _WORKING.append(True)
    try:
        yield
    finally:
        _WORKING.pop()
        del context.resolve_function_type
        if collecting:
            gc.enable()


class _Lower(Lower):
    """numba's, but for calls by symbol: arguments go as they are, arrays and tuples too."""

    def _lower_call_ExternalFunction(self, kind: Any, call: Any, typed: Any) -> Any:
        given = self.fold_call_args(kind, typed, call.args, call.vararg, call.kws)
        return self.builder.call(_declared(self.context, self.module, kind), given)


@register_pass(mutates_CFG=True, analysis_only=False)
class _Emit(LoweringPass):
    """Lower to a module of its own, which the state's library takes."""

    _name = "karat_emit"

    def __init__(self) -> None:  # abstract in the base
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        context = state.targetctx
        described = funcdesc.PythonFunctionDescriptor.from_specialized_function(
            *(state.func_ir, state.typemap, state.return_type, state.calltypes),
            mangler=context.mangler,
            inline=True,
            noalias=False,
            abi_tags=(),
        )
        with context.push_code_library(state.library):
            _Lower(context, state.library, described, state.func_ir, metadata=state.metadata).lower()
        state["cr"] = described
        return True


class _Pipeline(compiler.CompilerBase):
    def define_pipelines(self) -> list[Any]:
        manager = PassManager("karat")
        for one in (*_PASSES, _Emit):
            manager.add_pass(one, one.__name__)
        manager.finalize()
        return [manager]


class _Library:
    """Takes what numba gives to a library of code: modules, and libraries of helpers such as `min`."""

    def __init__(self, name: str, helpers: dict[int, Any]) -> None:
        self.name, self.codegen, self.helpers = name, cpu_target.target_context.codegen(), helpers
        self.module: Any = None

    def create_ir_module(self, name: str) -> Any:
        return self.codegen._create_empty_module(name)

    def add_ir_module(self, module: Any) -> None:
        self.module = module

    def add_linking_library(self, library: Any) -> None:
        if library.name != "nrt":  # numba's memory: kernels own none
            self.helpers[id(library)] = library


def _flags() -> Any:
    made: Any = compiler.Flags()
    made.error_model, made.enable_ssa = "numpy", True
    return made


def _module_of(kernel: Kernel, helpers: dict[int, Any]) -> Any:
    """Return LLVM's module of a kernel: numba's function, and the C functions around it."""
    library, flags = _Library(kernel.symbol, helpers), _flags()
    kind = kernel._numba_type_
    contexts = cpu_target.typing_context, cpu_target.target_context
    described = compiler.compile_extra(
        *(*contexts, kernel.function, kind.sig.args, kind.sig.return_type, flags, {}),
        library=library,
        pipeline_class=_Pipeline,
    )
    _define(kernel, kind, described, library.module)
    return llvm.parse_assembly(normalize_ir_text(str(library.module)))


def _define(kernel: Kernel, kind: Any, described: Any, module: Any) -> None:
    """Put the kernel's C function around numba's, which is inlined: its status says nothing, kernels raise nothing."""
    context = cpu_target.target_context
    convention = context.call_conv
    inner = module.get_global(described.llvm_func_name)
    outer = _declared(context, module, kind)
    if kernel.inner:
        outer.attributes.add("inlinehint")
    builder = ir.IRBuilder(outer.append_basic_block("entry"))
    builder.ret(convention.call_function(builder, inner, described.restype, described.argtypes, outer.args)[1])
    if kernel.entry != kernel.symbol:
        _define_entry(kernel, kind, outer, module)


def _define_entry(kernel: Kernel, kind: Any, outer: Any, module: Any) -> None:
    """Make the entry for Python: each array comes as its address and its shape, in C order."""
    context, words = cpu_target.target_context, [dimensions(text) for text in kernel.given]
    pairs = list(zip(words, kind.sig.args, strict=True))
    places = [[_WORD] * (1 + count) if count else [context.get_value_type(each)] for count, each in pairs]
    entry_type = ir.FunctionType(outer.function_type.return_type, [part for each in places for part in each])
    entry = ir.Function(module, entry_type, kernel.entry)
    builder, left = ir.IRBuilder(entry.append_basic_block("entry")), iter(entry.args)
    given = []
    for count, each in pairs:
        first = next(left)
        given.append(array_at(builder, each, first, [next(left) for _ in range(count)]) if count else first)
    builder.ret(builder.call(outer, given))
    if kernel.entry_of_words:
        _define_entry_of_words(kernel.entry_of_words, entry, module)


def _define_entry_of_words(symbol: str, entry: Any, module: Any) -> None:
    """Make the entry that finds the arguments of the entry for Python at an address, eight bytes each."""
    function = ir.Function(module, ir.FunctionType(entry.function_type.return_type, [_WORD]), symbol)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    given = []
    for place, each in enumerate(entry.args):
        at = builder.add(function.args[0], ir.Constant(_WORD, 8 * place))
        given.append(builder.load(builder.inttoptr(at, each.type.as_pointer())))
    builder.ret(builder.call(entry, given))


def array_at(builder: Any, kind: Any, address: Any, shape: Sequence[Any]) -> Any:
    """Return numba's array of contiguous memory that nobody owns."""
    context = cpu_target.target_context
    array = context.make_array(kind)(context, builder)
    step = size = ir.Constant(_WORD, context.get_abi_sizeof(context.get_data_type(kind.dtype)))
    strides: list[Any] = []
    for length in reversed(shape):
        strides.insert(0, step)
        step = builder.mul(step, length)
    data = builder.inttoptr(address, array.data.type)
    populate_array(array, data=data, shape=shape, strides=strides, itemsize=size, meminfo=None)
    return array._getvalue()


def _declared(context: Any, module: Any, kind: Any) -> Any:
    """Return the C function of a kernel in a module, declared there once."""
    found = module.globals.get(kind.symbol)
    if found is None:
        parts = [context.get_value_type(each) for each in kind.sig.args]
        found = ir.Function(module, ir.FunctionType(context.get_value_type(kind.sig.return_type), parts), kind.symbol)
    return found
