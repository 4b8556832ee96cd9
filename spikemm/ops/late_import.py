"""Repair of mmdet, mmseg and mmpretrain modules that were imported before ``mmcv.ops`` could be.

They guard the import of an operator, ``try: from mmcv.ops import nms``, and bind a stub in the ``except``. Once mmcv's
operators are there, the body of such a ``try`` is run again in its module, which binds what it would have bound.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

PACKAGES = ('mmcv', 'mmdet', 'mmpretrain', 'mmseg')
NEED_OPERATORS = ('mmcv.ops', 'mmdet.')


def repair_guarded_imports() -> None:
    """Run the guarded imports of the loaded OpenMMLab modules again, unless they have already found ``mmcv.ops``.

    Raises:
        RuntimeError: A class cannot get the base class that it would have had.
    """
    if 'mmcv.ops' in sys.modules:
        return
    loaded = [module for name, module in sys.modules.items() if name.partition('.')[0] in PACKAGES]
    for module in loaded:
        source = Path(getattr(module, '__file__', None) or '')
        if source.suffix == '.py':
            repair(module, source)
    bind_orphans()


def repair(module: ModuleType, source: Path) -> None:
    """Run the guarded imports of one module again and give its classes the base classes found by them."""
    text = source.read_text(encoding='utf-8')
    if not any(package in text for package in NEED_OPERATORS):
        return  # parsing is the slow part
    tree = ast.parse(text)
    namespace = vars(module)
    before = dict(namespace)
    for guard in guarded_imports(tree):
        try:
            exec(compile(ast.Module(guard.body, []), str(source), 'exec'), namespace)
        except ImportError:
            continue  # something else is not installed: the stub is what the module wants
    rebound = {name for name in namespace if namespace[name] is not before.get(name)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and rebound & {base.id for base in node.bases if isinstance(base, ast.Name)}:
            bases = tuple(eval(ast.unparse(base), namespace) for base in node.bases)
            try:
                namespace[node.name].__bases__ = bases
            except TypeError as error:
                raise RuntimeError(
                    f'{module.__name__}.{node.name} was imported before mmcv had its operators and cannot be '
                    f'repaired. Import spikemm before {module.__name__.partition(".")[0]}.'
                ) from error


def guarded_imports(tree: ast.Module) -> Iterator[ast.Try]:
    """Yield the ``try`` statements of a module that import from mmcv.ops, or from mmdet, which needs mmcv.ops."""
    for node in tree.body:
        if isinstance(node, ast.Try) and any(
            isinstance(part, ast.ImportFrom) and (part.module or '').startswith(NEED_OPERATORS) for part in node.body
        ):
            yield node
