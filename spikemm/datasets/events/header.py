"""The lines of text in front of the binary part of a recording."""

from typing import BinaryIO

MAX_LINE = 4096  # a header line is far shorter; binary data may have no line end at all


def read_lines(file: BinaryIO, mark: bytes, end: str) -> list[str]:
    """Read the lines that begin with a mark, and leave the file at the first byte behind them.

    A line of printable ASCII only is text: binary data may begin with the byte of the mark.

    Args:
        file: The file, at its start.
        mark: The first byte of each line.
        end: What the last line says, in lower case; without it the header ends at the first other line.

    Returns:
        The lines without mark and spaces around them.
    """
    lines = []
    while True:
        position = file.tell()
        line = file.readline(MAX_LINE)
        text = line.decode('ascii', 'replace').rstrip()
        if not line.startswith(mark) or not line.endswith(b'\n') or not text.isascii() or not text.isprintable():
            file.seek(position)
            return lines
        lines.append(text[len(mark):].strip())
        if lines[-1].lower() == end:
            return lines
