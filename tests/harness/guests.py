"""Guests of a booted Machina: a Linux to type commands into, and what the tools tell about guests and the machine."""

import json
import re

from harness.machine import plain_text

LINUX_TIMEOUT_SECONDS = 120
DETACH_KEYS = '\x1dd'
# The header of `guest list`, whose words stand where the columns begin.
LIST_COLUMNS = ['id', 'package', 'state', 'uptime', 'vcpus', 'memory', 'reason']


def cpus_in_use(machine):
    """The CPUs that run threads: all, unless emulated SVM is not safe on the first."""
    is_first_spared = 'not safe on CPU 0 (left idle)' in machine.run('dmesg')
    return list(range(1 if is_first_spared else 0, machine.cpu_count))


def list_guests(machine):
    """`guest list` as a dictionary from id to columns."""
    lines = machine.run('guest list').splitlines()
    assert lines[0].split() == LIST_COLUMNS, lines[0]
    guests = {}
    for line in lines[1:]:
        row = re.fullmatch(r' *(?P<id>\d+) +(?P<package>\S+) +(?P<state>\S+) +(?P<uptime>.*?\S) +(?P<vcpus>\d+)'
                           r' +(?P<memory>[\d.]+ [KMG]?i?B?)( +(?P<reason>\S.*))?', line)
        assert row, f'guest list: {line!r}'
        guests[int(row['id'])] = row.groupdict()
    return guests


def seconds_of(duration):
    """The seconds of a duration as the tools print it, such as 00:01:05."""
    hours, minutes, seconds = re.fullmatch(r'(\d+):(\d\d):(\d\d)', duration).groups()
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds)


def sample(machine, options):
    """The one JSON object that kstats prints."""
    return json.loads(machine.run(f'kstats --json -n 1 {options}'))


def launch_detached(machine, package, options=''):
    """Starts a guest without attaching to it, and returns its id."""
    output = machine.run(f'guest launch -d {package} {options}')
    told = re.fullmatch(r'guest (\d+)\n', output)
    assert told, f'guest launch: {output!r}'
    return int(told[1])


def wait_until(machine, condition, seconds=30):
    """Asks until the condition returns something; each time costs the machine a command at least."""
    for _ in range(seconds * 4):
        result = condition()
        if result:
            return result
        machine.pause(0.25)
    raise AssertionError(f'not true within {seconds} s')


def resources(machine):
    """What a leak would show in. Free memory is not in it: page tables and the heap's slabs stay for the next user."""
    memory = sample(machine, '-m')['memory']
    return {key: memory[key] for key in ['object_count', 'handle_count', 'vmo_bytes']}


def settled_resources(machine):
    """The least of a few samples: the command before may be taken apart while the next one counts."""
    samples = [resources(machine) for _ in range(4)]
    return {key: min(each[key] for each in samples) for key in samples[0]}


def wait_resources_return(machine, before, seconds=5):
    least = dict(resources(machine))

    def are_back():
        now = resources(machine)
        least.update({key: min(least[key], now[key]) for key in now})
        return all(least[key] <= before[key] for key in before)

    try:
        wait_until(machine, are_back, seconds)
    except AssertionError:
        raise AssertionError(f'before {before}, then at least {least}') from None



def kill(machine, guest_id):
    """Ends a guest, if it has not ended by itself."""
    if list_guests(machine)[guest_id]['state'] != 'ended':
        machine.run(f'guest stop -f {guest_id}')


class LinuxGuest:
    """A linux_guest whose serial port (or virtio console) the terminal is attached to, at its shell's prompt."""

    PROMPT = r'(?m)^\$ '

    def __init__(self, machine, package='linux_guest', options=''):
        self.machine = machine
        self.attach_count = 0
        machine.send(f'guest launch {package} {options}\r')
        self.id = int(machine.expect(r'\[guest (\d+): Ctrl-\] then d detaches\]')[1])
        self.wait_ready()

    def wait_ready(self):
        self.has_console = False
        self.machine.expect('linux_guest: ready', LINUX_TIMEOUT_SECONDS)
        self.machine.expect(self.PROMPT)

    def try_run(self, command, timeout=LINUX_TIMEOUT_SECONDS):
        """Runs a command in the guest; returns its exit status and what it printed."""
        self.machine.send(f'{command}; echo "<$?>"\r')
        self.machine.expect(r'<\$\?>"\r*\n')  # the echo of what was typed
        status = int(self.machine.expect(r'<(\d+)>\r*\n\$ ', timeout)[1])
        return status, plain_text(self.machine.console.before)

    def run(self, command, timeout=LINUX_TIMEOUT_SECONDS):
        """Runs a command in the guest, which has to succeed, and returns what it printed."""
        status, output = self.try_run(command, timeout)
        assert status == 0, f'{command}: status {status}: {output}'
        return output

    def lost_devices(self):
        """The virtio numbers of the devices that need a reset, as soon as there is one."""
        return self.run('until grep -l 0x0000004f /sys/bus/virtio/devices/*/status >/tmp/lost; do sleep 0.1; done;'
                        ' for status in $(cat /tmp/lost); do cat ${status%status}device; done').split()

    def detach(self):
        self.machine.send(DETACH_KEYS)
        self.machine.expect(f'detached from guest {self.id}')
        self.machine.wait_for_prompt()

    def attach(self, terminal='serial'):
        self.machine.send(f'guest {terminal} {self.id}\r')
        self.machine.expect(rf'\[guest {self.id}: Ctrl-\] then d detaches\]')
        if terminal == 'console' and not self.has_console:
            # Its driver comes late, and what is typed before a shell has it open is lost.
            self.machine.expect(self.PROMPT, LINUX_TIMEOUT_SECONDS)
            self.has_console = True
        # What the guest has said before is shown again; the answer to this comes after it.
        self.attach_count += 1
        self.machine.send(f'echo at${{x}}tached {self.attach_count}\r')
        self.machine.expect(rf'attached {self.attach_count}\r*\n')
        self.machine.expect(self.PROMPT)

    def wait_end(self, timeout=60):
        """While attached: waits until the guest ends, and returns the reason that is shown."""
        reason = self.machine.expect(rf'\[guest {self.id} ended: ([^\r\n]*)\]', timeout)[1]
        self.machine.wait_for_prompt()
        return reason
