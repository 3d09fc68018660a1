"""Probes that need raw system calls, run inside a sandbox: each is tried for real in a process of its own.

Prints one JSON document a line: {"probe", "tries", "closed", "byDesign", "outcome"}. An outcome is the error's name as the kernel
gave it, the signal that ended the process, or "open". Numbers of system calls are those of the kernel's own headers
(asm/unistd_64.h, asm-generic/unistd.h), written down here apart from the filter's, so that a slip in one of them shows.
"""

import ctypes
import errno
import fcntl
import json
import mmap
import os
import platform
import select
import signal
import socket
import struct
import sys
import time

X64 = platform.machine() == "x86_64"
CHILD_WITHIN_S = 15
EPERM, ENOSYS, NO_FAMILY, NO_ACCESS = ["EPERM"], ["ENOSYS"], ["EAFNOSUPPORT"], ["EPERM", "EACCES"]

# [x86-64, arm64]; None where that architecture has none.
NUMBERS = {
    "acct": (163, 89), "add_key": (248, 217), "adjtimex": (159, 171), "bpf": (321, 280), "capset": (126, 91),
    "chroot": (161, 51), "clock_adjtime": (305, 266), "clock_settime": (227, 112), "clone": (56, 220),
    "clone3": (435, 435), "delete_module": (176, 106), "fanotify_init": (300, 262), "finit_module": (313, 273),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fsopen": (430, 430), "fspick": (433, 433), "init_module": (175, 105),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "io_uring_setup": (425, 425), "ioperm": (173, None),
    "iopl": (172, None), "ioprio_set": (251, 30), "kcmp": (312, 272), "kexec_file_load": (320, 294),
    "kexec_load": (246, 104), "keyctl": (250, 219), "listmount": (458, 458), "lookup_dcookie": (212, 18),
    "lsm_set_self_attr": (460, 460), "memfd_secret": (447, 447), "migrate_pages": (256, 238), "mknod": (133, None),
    "mknodat": (259, 33), "modify_ldt": (154, None), "mount": (165, 40), "mount_setattr": (442, 442),
    "move_mount": (429, 429), "move_pages": (279, 239), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "open_tree": (428, 428), "perf_event_open": (298, 241), "personality": (135, 92), "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434), "pivot_root": (155, 41), "prctl": (157, 167), "prlimit64": (302, 261),
    "process_madvise": (440, 440), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "ptrace": (101, 117),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "reboot": (169, 142), "request_key": (249, 218),
    "setdomainname": (171, 162), "setgid": (106, 144), "setgroups": (116, 159), "sethostname": (170, 161),
    "setns": (308, 268), "setresuid": (117, 147), "settimeofday": (164, 170), "setuid": (105, 146),
    "statmount": (457, 457), "swapoff": (168, 225), "swapon": (167, 224), "sysfs": (139, None), "syslog": (103, 116),
    "umount2": (166, 39), "unshare": (272, 97), "userfaultfd": (323, 282), "ustat": (136, None), "vhangup": (153, 58),
}  # fmt: skip

# linux/sched.h
NEW = {"user": 0x10000000, "mount": 0x00020000, "net": 0x40000000, "pid": 0x20000000, "ipc": 0x08000000,
       "uts": 0x04000000, "cgroup": 0x02000000, "time": 0x00000080}  # fmt: skip
AT_FDCWD = -100

libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    """The system call of this name; raises OSError as the kernel answers."""
    number = NUMBERS[name][0 if X64 else 1]
    return numbered(number, *arguments)


def numbered(number, *arguments):
    given = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = libc.syscall(ctypes.c_long(number), *given)
    if result == -1:
        raise OSError(ctypes.get_errno(), "")
    return result


def has(name):
    return NUMBERS[name][0 if X64 else 1] is not None


def forks(name, *arguments):
    """A call that makes a process: the new one ends at once."""
    if call(name, *arguments) == 0:
        os._exit(0)


def a_child():
    """One that only waits, and ends with this process: pid 1 would stop at some of what is tried."""
    ready, tells = os.pipe()
    child = os.fork()
    if child == 0:
        control(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        os.close(tells)
        signal.pause()
    # Stopped before it has said how it ends, it would outlive this process and keep its output open.
    os.close(tells)
    os.read(ready, 1)
    os.close(ready)
    return child


def vector(size=8):
    """A struct iovec with its buffer."""
    buffer = ctypes.create_string_buffer(size)
    return struct.pack("QQ", ctypes.addressof(buffer), size), buffer


def reads_pid_1(name):
    local, _buffer = vector()
    remote, _other = vector()
    call(name, 1, local, 1, remote, 1, 0)


def control(option, *arguments):
    return call("prctl", option, *(list(arguments) + [0] * (4 - len(arguments))))


def bounding_set():
    # PR_CAPBSET_READ of linux/prctl.h; 41 capabilities are known today.
    return "empty" if not any(control(23, n) == 1 for n in range(41)) else None


def prctl_is(option, value, otherwise=None):
    return "set" if control(option) == value else otherwise


def raises_limit(resource):
    """A hard limit raised above what it is: prlimit64 takes { soft, hard }."""
    old = ctypes.create_string_buffer(16)
    call("prlimit64", 0, resource, None, old)
    soft, hard = struct.unpack("QQ", old.raw)
    if hard == 2**64 - 1:  # RLIM_INFINITY: there is none
        return
    call("prlimit64", 0, resource, struct.pack("QQ", soft, hard + 1), None)


def opens_socket(family, kind, protocol=0):
    socket.socket(family, kind, protocol).close()


def opens_pair(family):
    made = (ctypes.c_int * 2)()
    if libc.socketpair(family, socket.SOCK_STREAM, 0, made) == -1:
        raise OSError(ctypes.get_errno(), "")


def sets_option(level, option, value):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
        one.setsockopt(level, option, value)


def asks_routes(kind, flags, body):
    """One request of rtnetlink(7); raises what its answer says."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as one:
        one.settimeout(CHILD_WITHIN_S)
        one.send(struct.pack("IHHII", 16 + len(body), kind, flags | 1, 1, 0) + body)
        answer = one.recv(65536)
        kind, code = struct.unpack_from("H", answer, 4)[0], struct.unpack_from("i", answer, 16)[0]
        if kind == 2 and code < 0:  # NLMSG_ERROR
            raise OSError(-code, "")


def link_down():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        fcntl.ioctl(one, 0x8914, struct.pack("16sh14x", b"lo", 0))  # SIOCSIFFLAGS


def adds_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        address = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton("10.9.8.7"))
        fcntl.ioctl(one, 0x8916, struct.pack("16s16s", b"lo", address))  # SIOCSIFADDR


def on_terminal(request, argument):
    _master, slave = os.openpty()
    fcntl.ioctl(slave, request, argument)


def enters(kind):
    call("setns", os.open(f"/proc/self/ns/{kind}", os.O_RDONLY), 0)


def enters_all_of_pid_1():
    call("setns", call("pidfd_open", 1, 0), NEW["mount"] | NEW["net"] | NEW["ipc"])


def old_abi():
    """getpid through the 32-bit entry, whose numbers a filter for one architecture would take for others."""
    code = b"\x6a\x14\x58\xcd\x80\xc3"  # push 20; pop eax; int 0x80; ret
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()


def perf():
    # struct perf_event_attr: a software event of this process, nothing of the kernel.
    attributes = struct.pack("IIQQQQQ", 1, 112, 0, 0, 0, 0, 32 | 64).ljust(112, b"\0")
    call("perf_event_open", attributes, 0, -1, -1, 0)


def handle_of_root():
    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 136)
    call("name_to_handle_at", AT_FDCWD, b"/usr", handle, ctypes.byref(ctypes.c_int()), 0)


def mounts(source, target, kind, flags=0):
    call("mount", source, target, kind, flags, None)


def nothing(size=64):
    return ctypes.create_string_buffer(size)


MS_BIND, MS_REMOUNT = 4096, 32
RTM_NEWLINK, RTM_GETLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_DELROUTE = 16, 18, 20, 24, 25
ACK, DUMP = 4, 0x300
LOCAL_ROUTE = struct.pack("BBBBBBBBI", 2, 0, 0, 0, 255, 3, 253, 2, 0) + struct.pack("HHi", 8, 4, 1)
ADDRESS = struct.pack("BBBBi", 2, 8, 0, 254, 1) + struct.pack("HH4s", 8, 2, socket.inet_aton("10.9.8.7"))

FAMILIES = {"appletalk": 5, "x25": 9, "key": 15, "packet": 17, "rds": 21, "pppox": 24, "llc": 26, "can": 29, "tipc": 30,
            "bluetooth": 31, "alg": 38, "vsock": 40, "kcm": 41, "qipcrtr": 42, "smc": 43, "xdp": 44}  # fmt: skip
NETLINKS = {"sock-diag": 4, "xfrm": 6, "selinux": 7, "audit": 9, "connector": 11, "netfilter": 12, "uevent": 15,
            "generic": 16}  # fmt: skip

# name, what it tries, the outcomes that mean closed, the try
PROBES = [
    ("personality", "switch off address space randomization", EPERM, lambda: call("personality", 0x0040000)),
    ("ptrace-self", "become traced", EPERM, lambda: call("ptrace", 0, 0, None, None)),
    ("ptrace-attach", "trace another process", EPERM, lambda: call("ptrace", 16, a_child(), None, None)),
    ("ptrace-seize", "trace pid 1 without stopping it", EPERM, lambda: call("ptrace", 0x4206, 1, None, None)),
    ("read-memory", "read the memory of pid 1", EPERM, lambda: reads_pid_1("process_vm_readv")),
    ("write-memory", "write the memory of pid 1", EPERM, lambda: reads_pid_1("process_vm_writev")),
    ("advise-memory", "give advice about another's memory", EPERM, lambda: call("process_madvise", -1, nothing(), 1, 4, 0)),
    ("compare", "compare kernel objects of two processes", EPERM, lambda: call("kcmp", 1, os.getpid(), 0, 0, 0)),
    ("take-file", "take an open file from pid 1", EPERM, lambda: call("pidfd_getfd", call("pidfd_open", 1, 0), 0, 0)),
    ("become-root", "become user 0", ["EPERM", "EINVAL"], lambda: call("setuid", 0)),
    ("become-all-root", "become user 0 in all three ways", ["EPERM", "EINVAL"], lambda: call("setresuid", 0, 0, 0)),
    ("become-root-group", "become group 0", ["EPERM", "EINVAL"], lambda: call("setgid", 0)),
    ("set-groups", "join group 0", EPERM, lambda: call("setgroups", 1, ctypes.byref(ctypes.c_int(0)))),
    ("capabilities", "take all capabilities", EPERM,
     lambda: call("capset", struct.pack("Ii", 0x20080522, 0), struct.pack("IIIIII", *[0xFFFFFFFF] * 6))),
    ("capabilities-ambient", "raise CAP_SYS_ADMIN for programs that it starts", EPERM, lambda: control(47, 2, 21)),
    ("capabilities-bounding", "have a capability in reach", ["empty"], bounding_set),
    ("no-new-privileges", "be without the ban on new privileges", ["set"], lambda: prctl_is(39, 1)),
    ("no-filter", "be without a seccomp filter", ["set"], lambda: prctl_is(21, 2)),
    ("secure-bits", "change the secure bits", EPERM, lambda: control(28, 1)),
    ("memory-map", "rewrite what /proc shows of it", EPERM, lambda: control(35, 8, 0x1000)),
    ("limit-processes", "raise its hard limit of processes", EPERM, lambda: raises_limit(6)),
    ("limit-files", "raise its hard limit of open files", EPERM, lambda: raises_limit(7)),
    ("limit-core", "raise its hard limit of core dumps", EPERM, lambda: raises_limit(4)),
    ("priority", "go before others", NO_ACCESS, lambda: os.setpriority(os.PRIO_PROCESS, 0, -20)),
    ("priority-real-time", "be scheduled in real time", EPERM,
     lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))),
    ("priority-disk", "be served first by the disk", EPERM, lambda: call("ioprio_set", 1, 0, 1 << 13)),
    *[(f"unshare-{kind}", f"make a {kind} namespace", EPERM, lambda flag=flag: call("unshare", flag))
      for kind, flag in NEW.items()],
    ("clone-user", "start a process in a user namespace of its own", EPERM,
     lambda: forks("clone", NEW["user"] | signal.SIGCHLD, 0, 0, 0, 0)),
    ("clone-mount", "start a process in a mount namespace of its own", EPERM,
     lambda: forks("clone", NEW["mount"] | signal.SIGCHLD, 0, 0, 0, 0)),
    ("clone3-user", "the same, by the call whose flags a filter cannot see", ENOSYS,
     lambda: forks("clone3", struct.pack("QQQQQQQQ", NEW["user"], 0, 0, 0, signal.SIGCHLD, 0, 0, 0), 64)),
    *[(f"enter-{kind}", f"enter a {kind} namespace", EPERM, lambda kind=kind: enters(kind))
      for kind in ["user", "mnt", "net", "pid", "ipc", "uts", "cgroup"]],
    ("enter-all", "enter all namespaces of pid 1", EPERM, enters_all_of_pid_1),
    ("mount-tmpfs", "mount a file system", EPERM, lambda: mounts(b"x", b"/tmp", b"tmpfs")),
    ("mount-proc", "mount another /proc", EPERM, lambda: mounts(b"x", b"/tmp", b"proc")),
    ("mount-cgroup", "mount the control groups", EPERM, lambda: mounts(b"x", b"/tmp", b"cgroup2")),
    ("mount-bind", "bind / elsewhere", EPERM, lambda: mounts(b"/", b"/tmp", None, MS_BIND)),
    ("mount-writable", "make /usr writable", EPERM, lambda: mounts(b"x", b"/usr", None, MS_REMOUNT | MS_BIND)),
    ("unmount", "unmount /dev/shm", EPERM, lambda: call("umount2", b"/dev/shm", 2)),
    ("pivot-root", "change the root", EPERM, lambda: call("pivot_root", b"/none", b"/none")),
    ("chroot", "change its root", EPERM, lambda: call("chroot", b"/tmp")),
    ("new-fsopen", "open a file system to mount", EPERM, lambda: call("fsopen", b"tmpfs", 0)),
    ("new-fsconfig", "configure one", EPERM, lambda: call("fsconfig", -1, 0, None, None, 0)),
    ("new-fsmount", "make a mount of one", EPERM, lambda: call("fsmount", -1, 0, 0)),
    ("new-fspick", "pick a mounted one to change", EPERM, lambda: call("fspick", AT_FDCWD, b"/tmp", 0)),
    ("new-open-tree", "copy a tree of mounts", EPERM, lambda: call("open_tree", AT_FDCWD, b"/", 1)),
    ("new-move-mount", "move a mount", EPERM, lambda: call("move_mount", AT_FDCWD, b"/tmp", AT_FDCWD, b"/dev/shm", 0)),
    ("new-attributes", "make a mount writable", EPERM,
     lambda: call("mount_setattr", AT_FDCWD, b"/", 0, struct.pack("QQQQ", 0, 1, 0, 0), 32)),
    ("list-mounts", "list mounts by number", ENOSYS,
     lambda: call("listmount", struct.pack("IIQQ", 24, 0, 2**64 - 1, 0), nothing(), 8, 0)),
    ("stat-mount", "look at a mount by number", ENOSYS,
     lambda: call("statmount", struct.pack("IIQQ", 24, 0, 1, 1), nothing(512), 512, 0)),
    ("swap-on", "add swap space", EPERM, lambda: call("swapon", b"/app/none", 0)),
    ("swap-off", "take swap space away", EPERM, lambda: call("swapoff", b"/app/none")),
    ("quota", "look at disk quotas", EPERM, lambda: call("quotactl", 0x800001 << 8, None, 0, None)),
    ("quota-by-file", "the same, by an open file", ENOSYS, lambda: call("quotactl_fd", -1, 0, 0, None)),
    ("accounting", "write process accounting", EPERM, lambda: call("acct", b"/tmp/none")),
    ("handle", "make a file handle", EPERM, handle_of_root),
    ("handle-open", "open a file by its handle", EPERM, lambda: call("open_by_handle_at", AT_FDCWD, nothing(), 0)),
    ("device-memory", "make a node for the machine's memory", EPERM,
     lambda: call("mknodat", AT_FDCWD, b"/tmp/mem", 0o020666, 0x101)),
    ("device-disk", "make a node for a disk", EPERM,
     lambda: call("mknodat", AT_FDCWD, b"/tmp/disk", 0o060666, 0x800)),
    ("bpf-map", "make a BPF map", EPERM, lambda: call("bpf", 0, struct.pack("IIIII", 2, 4, 4, 1, 0), 20)),
    ("bpf-program", "load a BPF program", EPERM, lambda: call("bpf", 5, nothing(128), 128)),
    ("perf", "count events of the processor", EPERM, perf),
    ("key-ring", "reach the session's key ring", EPERM, lambda: call("keyctl", 0, -3, 1)),
    ("key-session", "join another session's key ring", EPERM, lambda: call("keyctl", 1, None)),
    ("key-add", "add a key", EPERM, lambda: call("add_key", b"user", b"waybill-probe", b"x", 1, -2)),
    ("key-request", "ask for a key", EPERM, lambda: call("request_key", b"user", b"waybill-probe", None, -2)),
    ("module-load", "load a kernel module", EPERM, lambda: call("init_module", nothing(), 0, b"")),
    ("module-load-file", "load one from a file", EPERM, lambda: call("finit_module", -1, b"", 0)),
    ("module-remove", "remove one", EPERM, lambda: call("delete_module", b"waybill_none", os.O_NONBLOCK)),
    ("kexec", "load another kernel", EPERM, lambda: call("kexec_load", 0, 0, None, 0)),
    ("kexec-file", "load one from a file", EPERM, lambda: call("kexec_file_load", -1, -1, 0, None, 0)),
    ("kernel-log", "read the kernel's log", EPERM, lambda: call("syslog", 3, nothing(4096), 4096)),
    ("reboot", "speak to the call that reboots, with a wrong password", EPERM, lambda: call("reboot", 0, 0, 0, None)),
    ("clock-set", "set the clock", EPERM, lambda: call("settimeofday", None, None)),
    ("clock-set-time", "set the clock to what it is", EPERM,
     lambda: call("clock_settime", 0, struct.pack("qq", int(time.time()), 0))),
    ("clock-adjust", "look how the clock is steered", EPERM, lambda: call("adjtimex", nothing(256))),
    ("clock-adjust-one", "the same, of one clock", EPERM, lambda: call("clock_adjtime", 0, nothing(256))),
    ("machine-name", "name the machine", EPERM, lambda: call("sethostname", b"probe", 5)),
    ("machine-domain", "name its domain", EPERM, lambda: call("setdomainname", b"probe", 5)),
    ("hang-up", "hang up the terminal", EPERM, lambda: call("vhangup")),
    ("trace-cookie", "look up a profiler's cookie", EPERM, lambda: call("lookup_dcookie", 0, nothing(), 64)),
    ("watch-files", "watch a whole file system", EPERM, lambda: call("fanotify_init", 0x200, 0)),
    ("pages-migrate", "move a process's pages", EPERM, lambda: call("migrate_pages", 0, 64, nothing(8), nothing(8))),
    ("pages-move", "look where pages lie", EPERM, lambda: call("move_pages", 0, 0, None, None, None, 0)),
    ("io-uring", "make an io_uring", ENOSYS, lambda: call("io_uring_setup", 1, nothing(120))),
    ("io-uring-enter", "enter one", ENOSYS, lambda: call("io_uring_enter", -1, 0, 0, 0, None, 0)),
    ("io-uring-register", "register files with one", ENOSYS, lambda: call("io_uring_register", -1, 0, None, 0)),
    ("page-faults", "handle its own page faults", ENOSYS, lambda: call("userfaultfd", 1)),
    ("secret-memory", "have memory that the kernel cannot see", ENOSYS, lambda: call("memfd_secret", 0)),
    ("security-label", "set its security label", ENOSYS, lambda: call("lsm_set_self_attr", 100, nothing(), 64, 0)),
    ("terminal-input", "type into a terminal", EPERM, lambda: on_terminal(0x5412, b"x")),
    ("terminal-console", "use the console's selection", EPERM, lambda: on_terminal(0x541C, b"\x02")),
    ("terminal-discipline", "load a line discipline", EPERM, lambda: on_terminal(0x5423, struct.pack("i", 0))),
    *[(f"socket-{name}", f"open a socket of the family {name}", NO_FAMILY,
       lambda family=family: opens_socket(family, socket.SOCK_SEQPACKET if name == "alg" else socket.SOCK_DGRAM))
      for name, family in FAMILIES.items()],
    ("pair-tipc", "open a pair of sockets of another family", NO_FAMILY, lambda: opens_pair(30)),
    ("raw-ipv4", "send raw packets", EPERM, lambda: opens_socket(socket.AF_INET, socket.SOCK_RAW, 1)),
    ("raw-ipv6", "send raw packets of IPv6", EPERM, lambda: opens_socket(socket.AF_INET6, socket.SOCK_RAW, 58)),
    ("ping", "send ICMP", NO_ACCESS, lambda: opens_socket(socket.AF_INET, socket.SOCK_DGRAM, 1)),
    *[(f"netlink-{name}", f"speak netlink {name} with the kernel", EPERM,
       lambda protocol=protocol: opens_socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol))
      for name, protocol in NETLINKS.items()],
    ("network-list", "list the network's links", [], lambda: asks_routes(RTM_GETLINK, DUMP, struct.pack("BxHiII", 0, 0, 0, 0, 0))),
    ("network-down", "take the network down", EPERM,
     lambda: asks_routes(RTM_NEWLINK, ACK, struct.pack("BxHiII", 0, 0, 1, 0, 1))),
    ("network-address", "add an address", EPERM, lambda: asks_routes(RTM_NEWADDR, ACK, ADDRESS)),
    ("network-route", "add a route", EPERM, lambda: asks_routes(RTM_NEWROUTE, ACK | 0x400, LOCAL_ROUTE)),
    ("network-route-gone", "remove the route to the way out", EPERM, lambda: asks_routes(RTM_DELROUTE, ACK, LOCAL_ROUTE)),
    ("network-down-old", "take the network down by ioctl", EPERM, link_down),
    ("network-address-old", "add an address by ioctl", EPERM, adds_address),
    ("packet-mark", "mark packets", EPERM, lambda: sets_option(socket.SOL_SOCKET, 36, 1)),
    ("packet-filter", "replace the packet filter", ["EPERM", "ENOPROTOOPT"], lambda: sets_option(0, 64, bytes(128))),
    ("buffer-force", "have a socket buffer beyond the limit", EPERM, lambda: sets_option(socket.SOL_SOCKET, 33, 1 << 26)),
    ("transparent", "answer for other addresses", EPERM, lambda: sets_option(0, 19, 1)),
    ("repair", "rewrite a connection's state", EPERM, lambda: sets_option(socket.IPPROTO_TCP, 19, 1)),
]  # fmt: skip
if X64:
    PROBES += [
        ("ports-all", "reach all input and output ports", EPERM, lambda: call("iopl", 3)),
        ("ports-one", "reach one", EPERM, lambda: call("ioperm", 0x80, 1, 1)),
        ("segments", "read its segment table", EPERM, lambda: call("modify_ldt", 0, nothing(), 16)),
        ("device-old", "make a device node by the old call", EPERM, lambda: call("mknod", b"/tmp/old", 0o020666, 0x101)),
        ("file-systems", "list the kernel's file systems by the old call", EPERM, lambda: call("sysfs", 3)),
        ("file-system-old", "look at a file system by the old call", EPERM, lambda: call("ustat", os.stat("/").st_dev, nothing())),
        ("abi-x32", "call by the numbers of x32", ENOSYS, lambda: numbered(0x40000000 | 39)),
        ("abi-32-bit", "call by the 32-bit entry", ["SIGSYS"], old_abi),
    ]  # fmt: skip
BY_DESIGN = {"network-list"}


def outcome_of(action):
    """What became of the try, in a process of its own: what it changes is gone with it, and it may be killed."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        os.write(write, attempt(action).encode())
        os._exit(0)
    os.close(write)
    ready, _, _ = select.select([read], [], [], CHILD_WITHIN_S)
    said = os.read(read, 4096).decode() if ready else "silent"
    os.close(read)
    if not ready:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if said == "" and os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return said or "open"


def attempt(action):
    try:
        given = action()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    except Exception as error:  # a probe that is wrong is no proof of anything: told as what it is
        return f"failed: {error!r}"
    return given if isinstance(given, str) else "open"


for name, tries, closed, action in PROBES:
    outcome = outcome_of(action)
    print(json.dumps({"probe": name, "tries": tries, "closed": closed, "byDesign": name in BY_DESIGN, "outcome": outcome}))
sys.stdout.flush()
