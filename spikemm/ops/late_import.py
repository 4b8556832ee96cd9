"""Repair of mmdet, mmseg and mmpretrain modules that were imported before ``mmcv.ops`` could be.

They guard the import of an operator, ``try: from mmcv.ops import nms``, and bind a stub in the ``except``. Once mmcv's
operators are there, the body of such a ``try`` is run again in its module, which binds what it would have bound.
"""

import ast
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType

PACKAGES = ('mmcv', 'mmdet', 'mmpretrain', 'mmseg')
NEED_OPERATORS = ('mmcv.ops', 'mmcv.cnn.bricks.transformer', 'mmdet.')


def repair_early_imports() -> None:
    """Give the OpenMMLab modules that are already loaded what they could not import from ``mmcv.ops``.

    Raises:
        RuntimeError: A class cannot get the base class that it would have had.
    """
    if 'mmcv.ops' in sys.modules:  # so nothing has missed it, or this has run before
        return
    replaced = {}
    for module in loaded_modules().values():
        source = Path(getattr(module, '__file__', None) or '')
        if source.suffix == '.py':
            replaced |= rerun_guarded_imports(module, source.read_text(encoding='utf-8'))
    for module in loaded_modules().values() if replaced else ():
        for name, value in list(vars(module).items()):  # some modules import the stub of another
            if isinstance(value, type | FunctionType) and value in replaced:
                setattr(module, name, replaced[value])
    restore_packages()


def loaded_modules() -> dict[str, ModuleType]:
    return {name: sys.modules[name] for name in sorted(sys.modules) if name.partition('.')[0] in PACKAGES}


def rerun_guarded_imports(module: ModuleType, source: str) -> dict[type | FunctionType, object]:
    """Run the guarded imports of one module again, and give its classes the base classes found by them.

    Returns:
        The stubs that the module had defined, and what stands for them now.
    """
    if not any(package in source for package in NEED_OPERATORS):
        return {}  # most modules, and parsing is the slow part
    tree = ast.parse(source)
    namespace = vars(module)
    before = dict(namespace)
    for guard in guarded_imports(tree):
        try:
            exec(compile(ast.Module(guard.body, []), module.__file__, 'exec'), namespace)
        except ImportError:
            continue  # it needs something else that is not installed: the stub is right
    rebound = {name for name in namespace if namespace[name] is not before.get(name)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and rebound & {base.id for base in node.bases if isinstance(base, ast.Name)}:
            try:
                namespace[node.name].__bases__ = tuple(eval(ast.unparse(base), namespace) for base in node.bases)
            except TypeError as error:
                raise RuntimeError(
                    f'{module.__name__}.{node.name} was imported before the operators of mmcv could be, and cannot be '
                    f'repaired: import spikemm before {module.__name__.partition(".")[0]}.'
                ) from error
    return {
        before[name]: namespace[name]
        for name in rebound & before.keys()
        if isinstance(before[name], type | FunctionType) and before[name].__module__ == module.__name__
    }


def guarded_imports(tree: ast.Module) -> Iterator[ast.Try]:
    """Yield the ``try`` statements of a module that import from mmcv.ops or from what needs mmcv.ops."""
    for node in tree.body:
        if isinstance(node, ast.Try) and any(
            isinstance(part, ast.ImportFrom) and (part.module or '').startswith(NEED_OPERATORS) for part in node.body
        ):
            yield node


def restore_packages() -> None:
    """Import again the packages that failed half-way; Python kept the submodules they had come to, but not them."""
    for name, module in loaded_modules().items():
        parent, _, child = name.rpartition('.')
        if not parent:
            continue
        try:
            package = import_module(parent)
        except ImportError:
            continue
        if not hasattr(package, child):
            setattr(package, child, module)
