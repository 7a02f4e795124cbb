"""A network with one PXE server at its other end: ARP, DHCP and TFTP over Ethernet, as much as firmware needs, and files that are
served wrongly on purpose, which QEMU's own server cannot do."""

import dataclasses
import socket
import struct
import threading

SERVER, CLIENT = bytes([10, 9, 8, 1]), bytes([10, 9, 8, 2])
SERVER_ADDRESS = '10.9.8.1'
SERVER_MAC = bytes.fromhex('020000000001')
ETHERTYPE_IP, ETHERTYPE_ARP = 0x0800, 0x0806
DHCP_PORT, DHCP_CLIENT_PORT, TFTP_PORT = 67, 68, 69
DHCP_COOKIE = bytes([99, 130, 83, 99])
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5
# RFC 1350 and RFC 2347.
READ, DATA, ACKNOWLEDGE, ERROR, OPTIONS = 1, 3, 4, 5, 6
DEFAULT_BLOCK_BYTES = 512
GARBAGE = bytes(range(256)) * 2


@dataclasses.dataclass
class ServedFile:
    """A file, and what the server does wrong with it. Blocks are counted from one."""

    data: bytes
    announced: int | None = None  # the size that it tells, if another than the data's
    has_options: bool = True  # knows RFC 2347: no size is told otherwise
    silent_after: int | None = None  # says nothing more behind so many blocks
    refused_after: int | None = None  # an error takes the place of the next block; 0: of the first answer
    has_garbage: bool = False  # what is no TFTP comes before each block
    is_endless: bool = False  # begins again behind the end


@dataclasses.dataclass
class Transfer:
    file: ServedFile
    client_port: int
    block_bytes: int = DEFAULT_BLOCK_BYTES
    sent_blocks: int = 0


def checksum(data):
    total = sum(struct.unpack(f'>{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def error_packet(text):
    return struct.pack('>HH', ERROR, 2) + text + b'\0'


class BootNetwork:
    """Serves until it is closed. `options` are QEMU's, for a network device of that name."""

    def __init__(self, folder, boot_file, files):
        self.boot_file, self.files = boot_file, files
        self.client_mac = bytes(6)
        self.transfers = {}  # by the server's port
        self.next_port = 2000
        self.block_count = 0  # that were sent, of all files
        here, self.there = str(folder / 'server'), str(folder / 'machine')
        self.options = ['-netdev', f'dgram,id=wire,local.type=unix,local.path={self.there},'
                        f'remote.type=unix,remote.path={here}']
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(here)
        self.socket.settimeout(0.2)
        self.is_closed = False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self):
        self.is_closed = True
        self.thread.join()
        self.socket.close()

    def _serve(self):
        while not self.is_closed:
            try:
                self._take_frame(self.socket.recv(65536))
            except TimeoutError:
                continue

    def _send_frame(self, ethertype, payload):
        frame = self.client_mac + SERVER_MAC + struct.pack('>H', ethertype) + payload
        try:
            self.socket.sendto(frame, self.there)
        except OSError:
            pass  # the machine has ended

    def _take_frame(self, frame):
        self.client_mac = frame[6:12]
        ethertype, = struct.unpack_from('>H', frame, 12)
        if ethertype == ETHERTYPE_ARP:
            self._take_arp(frame[14:42])
        elif ethertype == ETHERTYPE_IP and frame[23] == socket.IPPROTO_UDP:
            packet = frame[14:14 + struct.unpack_from('>H', frame, 16)[0]]
            udp = packet[(packet[0] & 15) * 4:]
            source, target = struct.unpack_from('>HH', udp)
            self._take_datagram(source, target, udp[8:])

    def _take_arp(self, packet):
        operation, = struct.unpack_from('>H', packet, 6)
        if operation == 1 and packet[24:28] == SERVER:
            self._send_frame(ETHERTYPE_ARP, packet[:6] + struct.pack('>H', 2) + SERVER_MAC + SERVER + packet[8:18])

    def _send_datagram(self, source, target, to, payload):
        udp = struct.pack('>HHHH', source, target, 8 + len(payload), 0) + payload
        header = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0, SERVER, to)
        header = header[:10] + struct.pack('>H', checksum(header)) + header[12:]
        self._send_frame(ETHERTYPE_IP, header + udp)

    def _take_datagram(self, source, target, payload):
        if target == DHCP_PORT:
            self._take_dhcp(payload)
        elif target == TFTP_PORT and payload[:2] == struct.pack('>H', READ):
            self._begin(source, payload[2:].split(b'\0'))
        elif target in self.transfers:
            self._go_on(target, payload)

    def _take_dhcp(self, request):
        at = request.index(DHCP_COOKIE) + 4
        options = {}
        while request[at] != 255:
            options[request[at]] = request[at + 2:at + 2 + request[at + 1]]
            at += 2 + request[at + 1]
        answer = {DISCOVER: OFFER, REQUEST: ACK}.get(options[53][0])
        if answer is None:
            return
        reply = struct.pack('>BBBB4s8s4s4s4s16s64s128s', 2, 1, 6, 0, request[4:8], request[8:16], CLIENT, SERVER, bytes(4),
                            request[28:44], b'', self.boot_file.encode())
        reply += DHCP_COOKIE + bytes([53, 1, answer, 54, 4, *SERVER, 1, 4, 255, 255, 255, 0, 51, 4, 0, 1, 0, 0, 255])
        self._send_datagram(DHCP_PORT, DHCP_CLIENT_PORT, b'\xff' * 4, reply)

    def _answer(self, port, payload):
        self._send_datagram(port, self.transfers[port].client_port, CLIENT, payload)

    def _begin(self, client_port, words):
        name, asked = words[0].decode(), dict(zip(words[2::2], words[3::2]))
        file = self.files.get(name)
        if file is not None and file.silent_after == 0:
            return
        port = self.next_port
        self.next_port += 1
        self.transfers[port] = transfer = Transfer(file, client_port)
        if file is None:
            self._answer(port, error_packet(b'no such file'))
        elif file.refused_after == 0:
            self._answer(port, error_packet(b'not for you'))
        elif file.has_options and asked:
            size = len(file.data) if file.announced is None else file.announced
            answers = {b'tsize': str(size).encode(), b'blksize': asked.get(b'blksize')}
            transfer.block_bytes = int(asked.get(b'blksize', DEFAULT_BLOCK_BYTES))
            self._answer(port, struct.pack('>H', OPTIONS) + b''.join(
                key + b'\0' + answers[key] + b'\0' for key in asked if key in answers))
        else:
            self._send_block(port, 1)

    def _go_on(self, port, payload):
        if payload[:2] == struct.pack('>H', ACKNOWLEDGE):
            acknowledged, = struct.unpack_from('>H', payload, 2)
            # Block numbers have 16 bits and begin again with 0.
            self._send_block(port, self.transfers[port].sent_blocks - (self.transfers[port].sent_blocks - acknowledged) % 65536 + 1)

    def _send_block(self, port, number):
        transfer = self.transfers[port]
        file, size = transfer.file, transfer.block_bytes
        if number * size > len(file.data) + size and not file.is_endless:
            return  # the last one is acknowledged
        if file.silent_after is not None and number > file.silent_after:
            return
        if file.refused_after is not None and number > file.refused_after:
            self._answer(port, error_packet(b'no more'))
        else:
            if file.has_garbage:
                self._answer(port, GARBAGE)
            start = (number - 1) * size % max(len(file.data) // size * size, 1) if file.is_endless else (number - 1) * size
            transfer.sent_blocks = max(transfer.sent_blocks, number)
            self.block_count += 1
            self._answer(port, struct.pack('>HH', DATA, number % 65536) + file.data[start:start + size])
