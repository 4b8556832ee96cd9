"""Speed of event frames on one core against SpikingJelly's integrators, measured side by side.

    python tools/analysis_tools/benchmark_events.py                    # simulated events of a DAVIS346
    python tools/analysis_tools/benchmark_events.py --file gesture.aedat --size 128 128

Simulated are moving edges, which is what a camera mostly sees, and uniform noise, the worst case for the caches.
Columns: million events a second of ours and of SpikingJelly, and SpikingJelly's time divided by ours: the median of the
rounds' ratios, with the smallest and largest. Each round runs everything once, one after the other, so that a change in
the machine's speed meets all. SpikingJelly knows counts only, so every row is compared with its counts by the same
split; its columns are made beforehand, int64 as those of its AEDAT reader. The rows "transform" are the whole transform
on events in memory, as a data loader runs it: for SpikingJelly its frames and their cast to float32. The last rows
begin with a file, which the operating system has in memory: LoadEvents, which also checks and counts, and EventFrames
against np.load or load_ATIS_bin, which do not, and SpikingJelly's frames. For N-MNIST's format (.bin) the pixels are
folded into the 256 x 240 that it can hold.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from spikingjelly.datasets.utils import integrate_events_by_fixed_frames_number, load_ATIS_bin

from spikemm.datasets.events import make_events, read_events, write_atis
from spikemm.datasets.events.atis import MAX_T, OVERFLOW_ROW
from spikemm.datasets.transforms import EventFrames, LoadEvents
from spikemm.ops.event_frames import event_frames

DAVIS346 = (260, 346)
SECONDS = 5
EDGES, EDGE_LENGTH, EDGE_BLUR = 6, 80, 0.7  # number; length and thickness (deviation) in pixels
TAU = 50_000  # of the time surface, in us


def moving_edges(n: int, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Events of straight edges that each circle over the sensor at a speed of their own."""
    t = np.sort(rng.integers(0, SECONDS * 10**6, n))
    edge = rng.integers(0, EDGES, n)
    angle = edge + t / 10**6 * (1 + edge / EDGES)
    along, across = rng.uniform(-EDGE_LENGTH / 2, EDGE_LENGTH / 2, n), rng.normal(0, EDGE_BLUR, n)
    x = size[1] * (0.5 + 0.3 * np.sin(angle)) + along * np.cos(edge) - across * np.sin(edge)
    y = size[0] * (0.5 + 0.3 * np.cos(angle)) + along * np.sin(edge) + across * np.cos(edge)
    return make_events(t, x.clip(0, size[1] - 1), y.clip(0, size[0] - 1), rng.integers(0, 2, n))


def uniform(n: int, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    t = np.sort(rng.integers(0, SECONDS * 10**6, n))
    return make_events(t, rng.integers(0, size[1], n), rng.integers(0, size[0], n), rng.integers(0, 2, n))


def runs_of(events: np.ndarray, size: tuple[int, int], T: int) -> dict[str, tuple[Callable, Callable]]:
    """What is timed, by title: ours and SpikingJelly's."""
    columns = {name: events[name].astype(np.int64) for name in 'txyp'}

    def theirs(split: str) -> np.ndarray:
        return integrate_events_by_fixed_frames_number(columns, split, T, *size)

    def theirs_to_float(split: str) -> np.ndarray:
        return theirs(split).astype(np.float32)

    def ours(**kwargs) -> np.ndarray:
        return event_frames(events, size, T, **kwargs)

    by_time, by_number = (lambda split=split: theirs(split) for split in ('time', 'number'))
    half = size[0] // 2, size[1] // 2
    runs = {
        'count, by time': (ours, by_time),
        'count, by number': (lambda: ours(split='number'), by_number),
        'count, by time, half the size': (lambda: ours(size=half), by_time),
        'binary, by time': (lambda: ours(kind='binary'), by_time),
        'binary, by number': (lambda: ours(kind='binary', split='number'), by_number),
        'voxel': (lambda: ours(kind='voxel'), by_time),
        'polarity_voxel': (lambda: ours(kind='polarity_voxel'), by_time),
        'time_surface, by time': (lambda: ours(kind='time_surface', tau=TAU), by_time),
        'time_surface, by number': (lambda: ours(kind='time_surface', tau=TAU, split='number'), by_number),
    }
    for split in ('time', 'number'):
        transform = EventFrames(T, split=split)
        runs[f'transform, count, by {split}'] = (
            lambda transform=transform: transform(dict(events=events, sensor_size=size)),
            lambda split=split: theirs_to_float(split))
    return runs


def runs_from_files(events: np.ndarray, size: tuple[int, int], T: int, folder: Path) -> dict:
    """What is timed with reading: a file of either format, which is written here."""
    npz, atis, atis_size = folder / 'events.npz', folder / 'events.bin', (OVERFLOW_ROW, 256)
    np.savez(npz, **{name: events[name] for name in 'txyp'})
    t = np.minimum(events['t'] - events['t'][0], MAX_T - 1)
    write_atis(atis, make_events(t, events['x'] % atis_size[1], events['y'] % atis_size[0], events['p']))
    load, runs = LoadEvents(), {}

    def theirs(read: Callable, path: Path, size: tuple[int, int], split: str) -> np.ndarray:
        columns = read(path)
        columns = {name: columns[name] for name in 'txyp'}  # of an .npz each access reads
        return integrate_events_by_fixed_frames_number(columns, split, T, *size).astype(np.float32)

    for path, read, sensor in ((npz, np.load, size), (atis, load_ATIS_bin, atis_size)):
        for split in ('time', 'number'):
            transform = EventFrames(T, split=split)
            runs[f'from a {path.suffix} file, count, by {split}'] = (
                lambda path=path, sensor=sensor, transform=transform: transform(
                    load(dict(event_path=str(path), sensor_size=sensor))),
                lambda read=read, path=path, sensor=sensor, split=split: theirs(read, path, sensor, split))
        runs[f'from a {path.suffix} file, events only'] = (
            lambda path=path, sensor=sensor: read_events(path, size=sensor),
            lambda read=read, path=path: [read(path)] if path == atis else list(read(path).values()))
    return runs


def timed(run: Callable) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def table(title: str, events: np.ndarray, size: tuple[int, int], args: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        measure(title, events, size, args, runs_of(events, size, args.T)
                | runs_from_files(events, size, args.T, Path(folder)))


def measure(
    title: str, events: np.ndarray, size: tuple[int, int], args: argparse.Namespace, runs: dict,
) -> None:
    for split in ('time', 'number'):
        ours, theirs = (run() for run in runs[f'count, by {split}'])
        if not np.array_equal(ours, theirs):
            raise RuntimeError(f'Frames by {split} are not those of SpikingJelly.')
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for round_ in range(args.rounds + 1):
        for name, (ours, theirs) in runs.items():
            pair = timed(ours), timed(theirs)
            if round_:  # the first round compiles
                times[name].append(pair)
    print(f'\n{title}: {len(events)} events, {size[1]} x {size[0]} pixels, {args.T} frames\n')
    print('| | ours, M events/s | SpikingJelly, M events/s | times as fast |\n|---|---|---|---|')
    for name, pairs in times.items():
        speeds = [len(events) / statistics.median(seconds) / 1e6 for seconds in zip(*pairs, strict=True)]
        ratios = [theirs / ours for ours, theirs in pairs]
        print(f'| {name} | {speeds[0]:.0f} | {speeds[1]:.0f} | '
              f'{statistics.median(ratios):.1f} ({min(ratios):.1f}-{max(ratios):.1f}) |', flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--file', help='a recording, in place of simulated events')
    parser.add_argument('--size', type=int, nargs=2, help='height and width of the sensor; default: as the file says')
    parser.add_argument('--events', type=int, default=5_000_000, help='number of simulated events')
    parser.add_argument('--T', type=int, default=8)
    parser.add_argument('--rounds', type=int, default=9)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if hasattr(os, 'sched_setaffinity'):  # Linux
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if args.file:
        recording = read_events(args.file, size=args.size and tuple(args.size))
        table(args.file, recording.events, recording.size, args)
        return
    size = tuple(args.size or DAVIS346)
    for title, simulate in (('Moving edges', moving_edges), ('Uniform noise', uniform)):
        table(title, simulate(args.events, size, np.random.default_rng(0)), size, args)


if __name__ == '__main__':
    main()
