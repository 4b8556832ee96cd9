import h5py
import numpy as np
import pytest
from event_files import some_events

from spikemm.datasets.events import read_events
from spikemm.datasets.events.recording import NeedsSetting

SIZE = (30, 40)
NAMES = ['t x y p', 'ts x y pol', 'timestamps X Y polarities', 'time x y on']


def columns(events, names=('t', 'x', 'y', 'p')):
    return {name: events[key] for name, key in zip(names, 'txyp', strict=True)}


@pytest.mark.parametrize('names', NAMES)
def test_npz_columns_go_by_their_usual_names(tmp_path, names):
    events = some_events(SIZE)
    np.savez(tmp_path / 'a.npz', **columns(events, names.split()))
    np.testing.assert_array_equal(read_events(tmp_path / 'a.npz', size=SIZE).events, events)


@pytest.mark.parametrize('suffix', ['npy', 'npz'])
def test_a_structured_array(tmp_path, suffix):
    events = some_events(SIZE)
    (np.save if suffix == 'npy' else np.savez)(tmp_path / f'a.{suffix}', events)
    np.testing.assert_array_equal(read_events(tmp_path / f'a.{suffix}', size=SIZE).events, events)


def test_an_array_without_names_is_refused(tmp_path):
    np.save(tmp_path / 'a.npy', np.ones((5, 4)))
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
        file['events'] = np.ones((5, 4))
    for name in ('a.npy', 'a.h5'):
        with pytest.raises(ValueError, match=rf'{name}: an array of shape \(5, 4\) does not say which column is which'):
            read_events(tmp_path / name, size=SIZE)


def test_a_missing_column_is_refused_with_those_that_are_there(tmp_path):
    np.savez(tmp_path / 'a.npz', t=[1], x=[1], y=[1])
    with pytest.raises(ValueError, match=r"a\.npz: .*t, x, y and p, but there are \['t', 'x', 'y'\]"):
        read_events(tmp_path / 'a.npz', size=SIZE)


def test_columns_of_different_length_are_refused(tmp_path):
    np.savez(tmp_path / 'a.npz', t=[1, 2], x=[1, 2], y=[1, 2], p=[1])
    with pytest.raises(ValueError, match=r'a\.npz: .*must have one length.*\(1,\)'):
        read_events(tmp_path / 'a.npz', size=SIZE)


def test_pickled_objects_are_refused(tmp_path):
    np.save(tmp_path / 'a.npy', np.array([{'t': 1}], dtype=object))
    with pytest.raises(ValueError, match=r'a\.npy: NumPy cannot read it .*allow_pickle'):
        read_events(tmp_path / 'a.npy', size=SIZE)


@pytest.mark.parametrize('name', ['a.npz', 'a.npy', 'a.h5'])
def test_a_file_cut_off_is_refused(tmp_path, name):
    path, events = tmp_path / name, some_events(SIZE)
    if name == 'a.h5':
        with h5py.File(path, 'w') as file:
            file.update(columns(events))
    else:
        (np.savez if name == 'a.npz' else np.save)(path, events)
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
    with pytest.raises(ValueError, match=rf'{name}: (NumPy|h5py) cannot read it'):
        read_events(path, size=SIZE)


@pytest.mark.parametrize('place', ['', 'events', 'CD/events', 'prophesee/left'])
@pytest.mark.parametrize('structured', [False, True])
def test_hdf5_columns_in_the_places_of_published_data(tmp_path, place, structured):
    events = some_events(SIZE)
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
        if structured:
            file[place or 'events'] = events
        else:
            (file.require_group(place) if place else file).update(columns(events))
    np.testing.assert_array_equal(read_events(tmp_path / 'a.h5', size=SIZE).events, events)


@pytest.mark.parametrize('structured', [False, True])
def test_hdf5_in_seconds_reads_the_part_in_the_range(tmp_path, structured):
    events = some_events(SIZE)
    seconds = events.astype([('t', 'f8'), ('x', 'u2'), ('y', 'u2'), ('p', 'u1')])
    seconds['t'] /= 1e6
    with h5py.File(tmp_path / 'a.hdf5', 'w') as file:
        file.update({'events': seconds} if structured else columns(seconds))
    t_range = events['t'][50], events['t'][120]
    part = read_events(tmp_path / 'a.hdf5', size=SIZE, time_unit='s', t_range=t_range).events
    np.testing.assert_array_equal(part, events[50:120])


@pytest.mark.parametrize('structured', [False, True])
def test_hdf5_reads_only_the_part_in_the_range(tmp_path, monkeypatch, structured):
    events, asked = some_events(SIZE, 10_000), []
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
        file.update({'events': events} if structured else columns(events))
    getitem = h5py.Dataset.__getitem__

    def watch(*args, **kwargs):
        asked.append(getitem(*args, **kwargs))
        return asked[-1]

    t_range = events['t'][5000], events['t'][5070]
    read_events(tmp_path / 'a.h5', size=SIZE, t_range=t_range)  # looks once whether the file is in order
    monkeypatch.setattr(h5py.Dataset, '__getitem__', watch)
    part = read_events(tmp_path / 'a.h5', size=SIZE, t_range=t_range).events
    assert 0 < len(part) < 100
    number = sum(np.size(values) for values in asked)
    assert 4 * len(part) <= number < 4 * len(part) + 50, 'four columns, and what the bisection looks at'


def test_hdf5_without_events_says_what_it_holds(tmp_path):
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
        file['frames/raw'] = np.zeros(3)
    with pytest.raises(ValueError, match=r"a\.h5: t, x, y and p must be .*has \['frames', 'frames/raw'\]"):
        read_events(tmp_path / 'a.h5', size=SIZE)


@pytest.mark.parametrize(('unit', 'factor'), [('s', 1e-6), ('ms', 1e-3), ('us', 1.0), ('ns', 1e3)])
def test_floating_point_times_are_converted_from_the_unit_stated(tmp_path, unit, factor):
    events = some_events(SIZE)
    np.savez(tmp_path / 'a.npz', **{**columns(events), 't': events['t'] * factor})
    np.testing.assert_array_equal(read_events(tmp_path / 'a.npz', size=SIZE, time_unit=unit).events, events)


@pytest.mark.parametrize(('unit', 'times'), [('ns', [1999, 2000]), ('ms', [1, 2]), ('s', [1, 2])])
def test_integer_times_are_converted_from_the_unit_stated(tmp_path, unit, times):
    np.savez(tmp_path / 'a.npz', t=times, x=[0, 1], y=[0, 1], p=[0, 1])
    expected = {'ns': [1, 2], 'ms': [1000, 2000], 's': [1_000_000, 2_000_000]}[unit]
    assert read_events(tmp_path / 'a.npz', size=SIZE, time_unit=unit).events['t'].tolist() == expected


@pytest.mark.parametrize(('factor', 'unit'), [(1e-6, 's'), (1e-3, 'ms'), (1.0, 'us'), (1e3, 'ns')])
@pytest.mark.parametrize('suffix', ['npz', 'h5'])
def test_floating_point_times_without_unit_are_refused_with_their_range_and_a_guess(tmp_path, factor, unit, suffix):
    path, times = tmp_path / f'a.{suffix}', np.array([0, 2e7]) * factor
    data = {'t': times, 'x': [0, 1], 'y': [0, 1], 'p': [0, 1]}
    if suffix == 'npz':
        np.savez(path, **data)
    else:
        with h5py.File(path, 'w') as file:
            file.update(data)
    with pytest.raises(ValueError, match=rf"floating point, 0 to {times[1]:g}.*time_unit='{unit}'".replace('+', r'\+')):
        read_events(path, size=SIZE, t_range=(0, 10))


@pytest.mark.parametrize('structured', [False, True])
def test_hdf5_out_of_order_loses_no_event_of_the_range(tmp_path, structured):
    events, late = some_events(SIZE), some_events(SIZE)
    late['t'][[5, 150]] = late['t'][[150, 5]]
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
        file.update({'events': late} if structured else columns(late))
    recording = read_events(tmp_path / 'a.h5', size=SIZE, t_range=(events['t'][2], events['t'][20]))
    assert recording.events['t'].tolist() == events['t'][2:20].tolist()
    assert recording.events['x'][3] == events['x'][150], 'the event with that time stamp stands at place 150'
    assert sum(recording.report.repaired.values()) == 1


@pytest.mark.parametrize('t_range', [None, (0, 30)])
@pytest.mark.parametrize('data', [
    {'t': [1, 2], 'x': [1], 'y': [1, 2], 'p': [0, 1]},
    {'t': 1, 'x': 1, 'y': 1, 'p': 1},
    {f'{name}/values': [1, 2] for name in 'txyp'},
    {name: [[1, 2]] for name in 'txyp'},
    {'events': np.ones((), [(name, 'i8') for name in 'txyp'])},
], ids=['unequal', 'single', 'groups', 'tables', 'single structured'])
def test_hdf5_columns_that_are_no_columns_of_one_length_are_refused(tmp_path, data, t_range):
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
        for name, values in data.items():
            file[name] = values
    with pytest.raises(ValueError, match=r'a\.h5: t, x, y and p must have one length, but it has \[<HDF5'):
        read_events(tmp_path / 'a.h5', size=SIZE, t_range=t_range)


@pytest.mark.parametrize(('name', 'good', 'bad'), [
    ('a.npz', b'PK\x01\x02', b'PK\x01\x03'), ('a.npz', None, None), ('a.npy', b'}', b'('),
    ('a.h5', b'TREE', b'free'), ('a.h5', b'SNOD', b'snod'), ('a.h5', b'HEAP', b'heap'),
])
def test_damage_that_the_libraries_report_in_their_ways_is_an_error_that_names_the_file(tmp_path, name, good, bad):
    path, events = tmp_path / name, some_events(SIZE)
    if name == 'a.h5':
        with h5py.File(path, 'w') as file:
            file.update(columns(events))
    else:
        np.savez_compressed(path, **columns(events)) if name == 'a.npz' else np.save(path, events)
    data = path.read_bytes()
    assert good is None or good in data
    path.write_bytes(data.replace(good, bad) if good else data[:90] + bytes(b ^ 255 for b in data[90:92]) + data[92:])
    with pytest.raises(ValueError, match=rf'{name}: (NumPy|h5py) cannot read it'):
        read_events(path, size=SIZE)


def test_integer_times_that_cannot_be_us_ask_for_their_unit(tmp_path):
    events = some_events(SIZE)
    now = 1_600_000_000_000_000_000  # ns
    np.savez(tmp_path / 'a.npz', **{**columns(events), 't': events['t'] * 1000 + now})
    with pytest.raises(NeedsSetting, match=r'a\.npz: time stamps .*below 10\^17 us.*event 0 has .*state `time_unit`'):
        read_events(tmp_path / 'a.npz', size=SIZE)
    read = read_events(tmp_path / 'a.npz', size=SIZE, time_unit='ns').events
    np.testing.assert_array_equal(read['t'], events['t'] + now // 1000)


def test_one_time_stamp_that_cannot_be_us_is_damage(tmp_path):
    np.savez(tmp_path / 'a.npz', t=[1, 10**17, 3], x=[0] * 3, y=[0] * 3, p=[0] * 3)
    with pytest.raises(ValueError, match='event 1 has t = 100000000000000000') as error:
        read_events(tmp_path / 'a.npz', size=SIZE)
    assert not isinstance(error.value, NeedsSetting)


def test_floating_point_times_of_day_in_ns_are_asked_for_their_unit_as_others(tmp_path):
    np.savez(tmp_path / 'a.npz', t=[1.6e18, 1.6e18 + 2e10], x=[0, 1], y=[0, 1], p=[0, 1])
    with pytest.raises(NeedsSetting, match="time_unit='ns'"):
        read_events(tmp_path / 'a.npz', size=SIZE)
