#!/usr/bin/env python3
"""shmreg from Python, through ctypes and shmreg.h alone: what a binding for any language does.

Usage: binding.py SEGMENT [LIBRARY]. Registers in one process, finds and watches in another, kills
the first and is told so. Ends with 0 if all held.
"""

import ctypes
import os
import select
import signal
import sys

LIBRARY = sys.argv[2] if len(sys.argv) > 2 else "libshmreg.so.0"
lib = ctypes.CDLL(LIBRARY)


class Text(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t)]

    def __str__(self):
        return ctypes.string_at(self.data, self.size).decode() if self.size else ""


class Pair(ctypes.Structure):
    _fields_ = [("key", Text), ("value", Text)]


class Buffer(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("capacity", ctypes.c_size_t), ("needed", ctypes.c_size_t)]


class Sized(ctypes.Structure):
    """A structure that begins with its own size."""

    def __init__(self, **members):
        super().__init__(**members)
        self.size = ctypes.sizeof(self)


class Error(Sized):
    _fields_ = [("size", ctypes.c_size_t), ("code", ctypes.c_int), ("message", ctypes.c_char * 500)]


class Spec(Sized):
    _fields_ = [("size", ctypes.c_size_t), ("endpoint", Text),
                ("metadata", ctypes.POINTER(Pair)), ("metadata_count", ctypes.c_size_t),
                ("tags", ctypes.POINTER(Text)), ("tag_count", ctypes.c_size_t),
                ("depends", ctypes.POINTER(Text)), ("depend_count", ctypes.c_size_t),
                ("wants", ctypes.POINTER(Text)), ("want_count", ctypes.c_size_t)]


class CreateOptions(Sized):
    _fields_ = [("size", ctypes.c_size_t), ("max_size_bytes", ctypes.c_uint64),
                ("partitions", ctypes.c_uint32), ("max_processes", ctypes.c_uint32),
                ("initial_slots", ctypes.c_uint32), ("mode", ctypes.c_uint32),
                ("has_group", ctypes.c_int32), ("group", ctypes.c_uint32),
                ("reserve", ctypes.c_int32), ("if_missing", ctypes.c_int32)]


class Service(Sized):
    _fields_ = [("size", ctypes.c_size_t), ("id", ctypes.c_uint64), ("pid", ctypes.c_uint32),
                ("owner", ctypes.c_uint32), ("health", ctypes.c_uint32), ("alive", ctypes.c_int32),
                ("shared", ctypes.c_int32), ("reserved", ctypes.c_int32),
                ("registered_at_ns", ctypes.c_int64), ("uptime_ns", ctypes.c_uint64),
                ("period_ns", ctypes.c_uint64), ("change", ctypes.c_uint64),
                ("full_name", Text), ("namespace_name", Text), ("name", Text), ("endpoint", Text),
                ("metadata", ctypes.POINTER(Pair)), ("metadata_count", ctypes.c_size_t),
                ("tags", ctypes.POINTER(Text)), ("tag_count", ctypes.c_size_t),
                ("depends", ctypes.POINTER(Text)), ("depend_count", ctypes.c_size_t),
                ("wants", ctypes.POINTER(Text)), ("want_count", ctypes.c_size_t)]


class Event(Sized):
    _fields_ = [("size", ctypes.c_size_t), ("kind", ctypes.c_uint32), ("has_change", ctypes.c_int32),
                ("change", ctypes.c_uint64), ("at_ns", ctypes.c_int64), ("lost", ctypes.c_uint64),
                ("has_service", ctypes.c_int32)]


lib.shmreg_version.restype = ctypes.c_char_p
lib.shmreg_registration_id.restype = ctypes.c_uint64
lib.shmreg_list_count.restype = ctypes.c_size_t

OK, NOT_FOUND, ALREADY_REGISTERED, BUFFER_TOO_SMALL = 0, 1, 2, 100
REGISTERED, DIED = 1, 4


class Failure(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def call(function, *arguments):
    """Calls what takes an error last; raises what it says."""
    error = Error()
    code = function(*arguments, ctypes.byref(error))
    if code != OK:
        raise Failure(code, error.message.decode())


def named(name):
    """A name as pointer and length."""
    encoded = name.encode()
    return ctypes.c_char_p(encoded), ctypes.c_size_t(len(encoded))


def text(value):
    encoded = ctypes.create_string_buffer(value.encode())
    made = Text(ctypes.addressof(encoded), len(encoded) - 1)
    made.keep = encoded
    return made


class Registry:
    def __init__(self, segment):
        self.handle = ctypes.c_void_p()
        call(lib.shmreg_attach, *named(segment), None, ctypes.byref(self.handle))

    def close(self):
        lib.shmreg_detach(self.handle)

    def register(self, name, endpoint, metadata):
        items = [(text(key), text(value)) for key, value in metadata.items()]
        pairs = (Pair * len(items))(*[Pair(*item) for item in items])
        where = text(endpoint)
        spec = Spec(endpoint=where, metadata=pairs, metadata_count=len(items))
        registration = ctypes.c_void_p()
        call(lib.shmreg_register, self.handle, *named(name), ctypes.byref(spec), None,
             ctypes.byref(registration))
        return registration

    def lookup(self, name):
        return filled(lambda service, buffer: call(lib.shmreg_lookup, self.handle, *named(name),
                                                   service, buffer))


def filled(fill):
    """A service, in a buffer that is as large as it takes."""
    capacity = 16
    while True:
        memory = ctypes.create_string_buffer(capacity)
        service, buffer = Service(), Buffer(ctypes.addressof(memory), capacity, 0)
        try:
            fill(ctypes.byref(service), ctypes.byref(buffer))
        except Failure as failure:
            if failure.code != BUFFER_TOO_SMALL:
                raise
            capacity = buffer.needed
            continue
        service.memory = memory
        return service


class Watch:
    def __init__(self, registry, scope):
        self.handle = ctypes.c_void_p()
        call(lib.shmreg_watch_open, registry.handle, *named(scope), None, ctypes.byref(self.handle))
        descriptor = ctypes.c_int()
        call(lib.shmreg_watch_descriptor, self.handle, ctypes.byref(descriptor))
        self.descriptor = descriptor.value

    def fileno(self):
        return self.descriptor

    def next(self):
        event = Event()
        service = filled(lambda found, buffer: call(lib.shmreg_watch_next, self.handle,
                                                    ctypes.c_int64(-1), ctypes.byref(event), found,
                                                    buffer))
        return event.kind, service

    def close(self):
        lib.shmreg_watch_free(self.handle)


def main(segment):
    print("shmreg", lib.shmreg_version().decode())
    options = CreateOptions(max_size_bytes=16 << 20)
    call(lib.shmreg_create_segment, *named(segment), ctypes.byref(options), None)
    registry = Registry(segment)
    watch = Watch(registry, "python/")
    assert select.select([watch], [], [], 0)[0] == []

    child = os.fork()
    if child == 0:
        Registry(segment).register("python/näme", "tcp://127.0.0.1:1", {"zone": "eu", "empty": ""})
        while True:
            signal.pause()

    assert select.select([watch], [], [], 60)[0] == [watch]
    kind, service = watch.next()
    assert kind == REGISTERED and str(service.full_name) == "python/näme" and service.pid == child
    found = registry.lookup("python/näme")
    assert str(found.endpoint) == "tcp://127.0.0.1:1" and found.alive == 1
    metadata = {str(found.metadata[i].key): str(found.metadata[i].value)
                for i in range(found.metadata_count)}
    assert metadata == {"zone": "eu", "empty": ""}, metadata
    try:
        registry.register("python/näme", "", {})
        raise AssertionError("registered twice")
    except Failure as failure:
        assert failure.code == ALREADY_REGISTERED and str(child) in str(failure), failure

    os.kill(child, signal.SIGKILL)
    assert select.select([watch], [], [], 60)[0] == [watch]
    kind, service = watch.next()
    assert kind == DIED and service.pid == child
    os.waitpid(child, 0)
    try:
        registry.lookup("python/näme")
        raise AssertionError("found after its end")
    except Failure as failure:
        assert failure.code == NOT_FOUND, failure
    watch.close()
    registry.close()
    call(lib.shmreg_destroy_segment, *named(segment), 1, None, None)
    print("binding: registered, found, watched, gone")


if __name__ == "__main__":
    main(sys.argv[1])
