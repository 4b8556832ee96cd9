"""Every registry of spikemm; a config names what they hold as ``spikemm.Name``.

The registries are children of mmengine's, with the scope ``spikemm``: a config keeps the ``default_scope`` of its
task library (mmpretrain, mmdet or mmseg) and only our own types carry the prefix. The ``locations`` are imported at
the first look-up, so ``import spikemm`` stays light.

Neurons and surrogate functions have registries without a parent: a surrogate called ``Sigmoid`` must not shadow the
activation layer of that name. Build them with :func:`spikemm.neurons.build_neuron`.
"""

import mmengine.registry as root
from mmengine.registry import Registry

SCOPE = 'spikemm'


def _child(name: str, parent: Registry, *locations: str) -> Registry:
    return Registry(name, parent=parent, scope=SCOPE, locations=list(locations))


MODELS = _child('model', root.MODELS, 'spikemm.models')
DATASETS = _child('dataset', root.DATASETS, 'spikemm.datasets')
TRANSFORMS = _child('transform', root.TRANSFORMS, 'spikemm.datasets.transforms')
DATA_SAMPLERS = _child('data sampler', root.DATA_SAMPLERS, 'spikemm.datasets')
METRICS = _child('metric', root.METRICS, 'spikemm.evaluation')
HOOKS = _child('hook', root.HOOKS, 'spikemm.engine')
LOOPS = _child('loop', root.LOOPS, 'spikemm.engine')
OPTIMIZERS = _child('optimizer', root.OPTIMIZERS, 'spikemm.engine')
OPTIM_WRAPPERS = _child('optim_wrapper', root.OPTIM_WRAPPERS, 'spikemm.engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child('optimizer wrapper constructor', root.OPTIM_WRAPPER_CONSTRUCTORS, 'spikemm.engine')
PARAM_SCHEDULERS = _child('parameter scheduler', root.PARAM_SCHEDULERS, 'spikemm.engine')
TASK_UTILS = _child('task util', root.TASK_UTILS, 'spikemm.models')
VISUALIZERS = _child('visualizer', root.VISUALIZERS, 'spikemm.visualization')

NEURONS = Registry('neuron', scope=SCOPE, locations=['spikemm.neurons'])
SURROGATES = Registry('surrogate function', scope=SCOPE, locations=['spikemm.neurons'])
