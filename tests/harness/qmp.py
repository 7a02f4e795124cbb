"""QEMU's monitor: keys, devices that come and go. Machina takes part in none of it."""

import json
import socket


class Qmp:
    """One connection, by a socket that QEMU was given as `-qmp unix:PATH,server=on,wait=off`."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(60)
        self.socket.connect(str(path))
        self.file = self.socket.makefile('rw', encoding='utf-8')
        self.read_line()  # the greeting
        self.execute('qmp_capabilities')

    @staticmethod
    def options(path):
        return ['-qmp', f'unix:{path},server=on,wait=off']

    def read_line(self):
        line = self.file.readline()
        assert line, 'QEMU closed its monitor'
        return json.loads(line)

    def execute(self, command, **arguments):
        """Returns what the command returns; events that come meanwhile are dropped."""
        self.file.write(json.dumps({'execute': command, 'arguments': arguments}) + '\n')
        self.file.flush()
        while True:
            reply = self.read_line()
            assert 'error' not in reply, f'{command}: {reply["error"]}'
            if 'return' in reply:
                return reply['return']

    def press(self, key, down=True):
        """One change of a key, by QEMU's name of it."""
        event = {'type': 'key', 'data': {'down': down, 'key': {'type': 'qcode', 'data': key}}}
        self.execute('input-send-event', events=[event])

    def type(self, *keys):
        for key in keys:
            self.press(key)
            self.press(key, down=False)

    def add_device(self, driver, **properties):
        self.execute('device_add', driver=driver, **properties)

    def remove_device(self, name):
        self.execute('device_del', id=name)

    def close(self):
        self.file.close()
        self.socket.close()
