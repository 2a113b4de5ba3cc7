#!/usr/bin/env python3
"""Prints what a compiled ALSA topology holds, one element a line: a second opinion for tests.

Written from the format's description alone and sharing nothing with the loader. Trusts its input.
Fields of a line are separated by '|'.
"""
import struct
import sys
import uuid

BLOCK = struct.Struct("<9I")
KINDS = {1: "mixer", 2: "mixer", 3: "mixer", 4: "enum", 5: "bytes", 6: "enum", 7: "mixer",
         8: "mixer", 64: "mixer", 65: "enum", 66: "enum", 67: "enum", 68: "mixer"}


class Cursor:
    def __init__(self, data, position=0):
        self.data = data
        self.position = position

    def word(self):
        (value,) = struct.unpack_from("<I", self.data, self.position)
        self.position += 4
        return value

    def words(self, count):
        return [self.word() for _ in range(count)]

    def text(self):
        field = self.data[self.position:self.position + 44]
        self.position += 44
        return field[:field.index(0)].decode("ascii")

    def skip(self, count):
        self.position += count

    def blob(self):
        size = self.word()
        data = self.data[self.position:self.position + size]
        assert len(data) == size
        self.position += size
        return data


def line(*fields):
    print("|".join(str(field) for field in fields))


def tuples(data):
    cursor = Cursor(data)
    while cursor.position < len(data):
        end = cursor.position + struct.unpack_from("<I", data, cursor.position)[0]
        _, kind, count = cursor.words(3)
        for _ in range(count):
            token = cursor.word()
            if kind == 0:
                value = uuid.UUID(bytes_le=data[cursor.position:cursor.position + 16])
                cursor.skip(16)
            elif kind == 1:
                value = cursor.text()
            else:
                value = cursor.word()
            line("tuple", token, kind, value)
        assert cursor.position == end


def control(cursor):
    start = cursor.position
    cursor.skip(8)
    name = cursor.text()
    access, get, put, info = cursor.words(4)
    scale = struct.unpack_from("<IIiII", cursor.data, cursor.position)
    cursor.position = start + 204
    kind = KINDS[info]
    detail = []
    if kind == "mixer":
        _, low, high, _, invert, channels = cursor.words(6)
        detail = [low, high, invert, channels]
        cursor.skip(8 * 16)
    elif kind == "enum":
        channels = cursor.words(2)[1]
        cursor.skip(8 * 16)
        items = cursor.words(3)[0]
        texts = [cursor.text() for _ in range(16)]
        cursor.skip(16 * 44)
        detail = [channels] + texts[:items]
    else:
        detail = cursor.words(8)[1:2]
    data = cursor.blob()
    if scale[0] and scale[1] == 1:
        detail += scale[2:5]
    line("control", kind, name, access, get, put, len(data), sum(data), *detail)


def widget(cursor, group):
    _, kind = cursor.words(2)
    name, stream = cursor.text(), cursor.text()
    cursor.skip(28)
    controls = cursor.word()
    line("widget", group, kind, name, stream, controls)
    tuples(cursor.blob())
    for _ in range(controls):
        control(cursor)


def route(cursor, group):
    sink, name, source = cursor.text(), cursor.text(), cursor.text()
    line("route", group, source, name, sink)


def pcm(cursor, _):
    cursor.skip(4)
    name, dai = cursor.text(), cursor.text()
    number, _, playback, capture, _ = cursor.words(5)
    cursor.skip(8 * 72 + 4)
    fields = []
    for present in (playback, capture):
        cursor.skip(4)
        caps = [cursor.text(), struct.unpack_from("<Q", cursor.data, cursor.position)[0]]
        cursor.skip(8)
        rates = cursor.words(12)
        if present:
            fields += caps + rates[1:5]
    cursor.skip(8)
    cursor.blob()
    line("pcm", number, name, dai, playback, capture, *fields)


def link(cursor, _):
    _, number = cursor.words(2)
    name, stream = cursor.text(), cursor.text()
    cursor.skip(8 * 72 + 4 + 8 * 120)
    configs = cursor.words(4)[0]
    cursor.blob()
    line("link", number, name, stream, configs)


READERS = {1: lambda cursor, _: control(cursor), 2: lambda cursor, _: control(cursor),
           3: lambda cursor, _: control(cursor), 4: route, 5: widget, 6: link, 7: pcm, 9: link,
           10: link}


def main():
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    start = 0
    while start < len(data):
        magic, _, _, kind, header, _, payload, index, count = BLOCK.unpack_from(data, start)
        assert magic == 0x41536F43
        cursor = Cursor(data, start + header)
        start += header + payload
        if kind in READERS:
            for _ in range(count):
                READERS[kind](cursor, index)
            assert cursor.position == start


if __name__ == "__main__":
    main()
