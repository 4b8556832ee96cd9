"""AEDAT 4, ``.aedat4``, of the iniVation cameras (DV), read with the library ``aedat``."""

from pathlib import Path

import numpy as np

from spikemm.datasets.events.recording import Columns

MAGIC = b'#!AER-DAT4.0\r\n'


def read_aedat4(path: Path) -> Columns:
    """Read the first stream of events in the file; frames, motion and triggers are left out.

    Args:
        path: The file.

    Raises:
        ValueError: It is another format, holds no stream of events, or is damaged or cut off.
    """
    import aedat  # here and not above: only those who have such files need it

    with path.open('rb') as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise ValueError(f'{path}: it is no AEDAT 4 file, which begins with #!AER-DAT4.0.')
        length = int.from_bytes(file.read(4), 'little')
        header = file.read(min(length, path.stat().st_size))  # not memory for what a damaged length says
    try:
        header[header.find(b'<dv'):header.rfind(b'>') + 1].decode()  # the decoder takes it unseen, and may crash
    except UnicodeDecodeError as error:
        raise ValueError(f'{path}: the header is damaged or cut off ({error}).') from error
    packets, others, count = [], 0, None
    try:
        decoder = aedat.Decoder(str(path))
        count = 0
        streams = {number: stream for number, stream in decoder.id_to_stream().items() if stream['type'] == 'events'}
        if not streams:
            raise ValueError(f'{path}: it holds no stream of events.')
        first = min(streams)
        for packet in decoder:
            count += 1
            if packet['stream_id'] == first:
                packets.append(packet['events'])
            elif packet['stream_id'] in streams:
                others += len(packet['events'])
    except BaseException as error:
        # the decoder has two classes of errors; that of a panic in Rust, which damage can cause, is no Exception, so
        # that nothing else would catch it, and is known by its name only
        if not isinstance(error, RuntimeError) and type(error).__name__ != 'PanicException':
            raise
        where = 'the header' if count is None else f'the packet at byte {find_packet(path, count)}'
        raise ValueError(f'{path}: {where} is damaged or cut off ({error}).') from error
    size = streams[first]['height'], streams[first]['width']
    if not packets:
        raise ValueError(f'{path}: the recording holds no event.')
    events = np.concatenate(packets)
    facts = {'of other cameras': others} if others else {}
    return Columns(events['t'], events['x'], events['y'], events['on'], size, facts=facts)


def find_packet(path: Path, number: int) -> int:
    """Find the byte at which a packet begins; each says its length, behind the magic and a header that does too."""
    with path.open('rb') as file:
        file.seek(len(MAGIC))
        file.seek(int.from_bytes(file.read(4), 'little'), 1)
        for _ in range(number):
            file.seek(int.from_bytes(file.read(8)[4:], 'little'), 1)
        return file.tell()
