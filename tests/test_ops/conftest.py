import pytest
import torch

import spikemm  # noqa: F401  before the tests import mmcv.ops


@pytest.fixture(scope='module', autouse=True)
def one_thread():
    """The tensors are tiny: threads would only wait for each other, for minutes on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
