import spikemm  # noqa: F401  before the tests import mmcv.ops
