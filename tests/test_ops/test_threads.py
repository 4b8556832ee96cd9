import pytest
import torch

from spikemm.ops import threads


@pytest.fixture(params=['openmp', 'pool'])
def team(request, monkeypatch):
    """Both ways to run a kernel in parallel."""
    if request.param == 'pool':
        monkeypatch.setattr(threads, '_openmp', lambda: None)
    elif threads._openmp() is None:
        pytest.skip('torch does not run on an OpenMP runtime with the GNU interface here')
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_the_parts_cover_the_range_once(team):
    seen = []
    threads.parallel_for(lambda lo, hi, extra: seen.append((lo, hi, extra)), 101, 'x', grain=10)
    assert sorted(seen) == [(0, 51, 'x'), (51, 101, 'x')]


def test_an_error_in_a_part_reaches_the_caller(team):
    def fail(lo, hi):
        raise ZeroDivisionError(f'{lo}')

    with pytest.raises(ZeroDivisionError):
        threads.parallel_for(fail, 100, grain=10)


def test_a_short_range_stays_on_one_thread():
    seen = []
    threads.parallel_for(lambda lo, hi: seen.append((lo, hi)), 100, grain=1000)
    assert seen == [(0, 100)]
