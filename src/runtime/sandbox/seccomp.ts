/**
 * The seccomp filter that every app and build step runs under, assembled here: a classic BPF program is an array of
 * `struct sock_filter { u16 code; u8 jt; u8 jf; u32 k }`, little endian (linux/filter.h, seccomp(2)).
 *
 * It allows all but what is listed. EPERM where a program should be told no; ENOSYS where programs try and fall back
 * (clone3 → clone, io_uring → epoll); EAFNOSUPPORT for address families that no app needs.
 */
export type Arch = "x64" | "arm64";

const errno = { EPERM: 1, ENOSYS: 38, EAFNOSUPPORT: 97 } as const;
const action = { allow: 0x7fff_0000, errno: 0x0005_0000, killProcess: 0x8000_0000 } as const;
/** `AUDIT_ARCH_X86_64`, `AUDIT_ARCH_AARCH64` of linux/audit.h. */
const auditArch = { x64: 0xc000_003e, arm64: 0xc000_00b7 } as const satisfies Record<Arch, number>;
/** System calls of the x32 ABI have this bit; none of them is for us. */
const x32Bit = 0x4000_0000;
/** BPF_MAXINSNS of linux/bpf_common.h. */
const instructionsMax = 4_096;

/** System call numbers: [x86-64, arm64]; null where that architecture has none. */
type Numbers = readonly [x64: number | null, arm64: number | null];

/** Answered with EPERM: tracing, kernel and clock administration, keys, handles. */
const forbidden: Readonly<Record<string, Numbers>> = {
  swapon: [167, 224],
  swapoff: [168, 225],
  reboot: [169, 142],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  create_module: [174, null],
  acct: [163, 89],
  quotactl: [179, 60],
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  process_madvise: [440, 440],
  kcmp: [312, 272],
  pidfd_getfd: [438, 438],
  perf_event_open: [298, 241],
  bpf: [321, 280],
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  name_to_handle_at: [303, 264],
  open_by_handle_at: [304, 265],
  lookup_dcookie: [212, 18],
  syslog: [103, 116],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  clock_adjtime: [305, 266],
  adjtimex: [159, 171],
  iopl: [172, null],
  ioperm: [173, null],
  modify_ldt: [154, null],
  vhangup: [153, 58],
  nfsservctl: [180, 42],
  uselib: [134, null],
  ustat: [136, null],
  sysfs: [139, null],
  _sysctl: [156, null],
  migrate_pages: [256, 238],
  move_pages: [279, 239],
  fanotify_init: [300, 262],
};

/** Forbidden too, but to a program that makes images: namespaces, mounts and device nodes (the whiteouts of layers) are its craft. */
const crafts: Readonly<Record<string, Numbers>> = {
  unshare: [272, 97],
  setns: [308, 268],
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  move_mount: [429, 429],
  open_tree: [428, 428],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  mknod: [133, null],
  mknodat: [259, 33],
  sethostname: [170, 161],
  setdomainname: [171, 162],
};

/** Answered with ENOSYS: programs try them and do without. */
const absent: Readonly<Record<string, Numbers>> = {
  clone3: [435, 435],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  userfaultfd: [323, 282],
  memfd_secret: [447, 447],
  statmount: [457, 457],
  listmount: [458, 458],
  lsm_set_self_attr: [460, 460],
  open_tree_attr: [467, 467],
  quotactl_fd: [443, 443],
};

/** Looked at with their arguments. */
const examined = {
  clone: [56, 220],
  ioctl: [16, 29],
  socket: [41, 198],
  socketpair: [53, 199],
  personality: [135, 92],
} as const satisfies Record<string, Numbers>;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET of linux/sched.h. */
const newNamespaces = 0x7e02_0000;
const family = { unix: 1, inet: 2, inet6: 10, netlink: 16 } as const;
const socketTypeMask = 0xf;
const sockRaw = 3;
/** Input pushed into a terminal, the console's selection, a line discipline loaded. */
const forbiddenIoctls = { TIOCSTI: 0x5412, TIOCLINUX: 0x541c, TIOCSETD: 0x5423 } as const;
/** personality(2): plain Linux, and the question which one it is. */
const allowedPersonalities = [0, 0xffff_ffff] as const;

interface Instruction {
  readonly code: number;
  readonly k: number;
  readonly jt: number;
  readonly jf: number;
}

const load = (offset: number): Instruction => ({ code: 0x20, k: offset, jt: 0, jf: 0 });
const ifEqual = (k: number, jt: number, jf: number): Instruction => ({ code: 0x15, k, jt, jf });
const ifAtLeast = (k: number, jt: number, jf: number): Instruction => ({ code: 0x35, k, jt, jf });
const ifAnyBit = (k: number, jt: number, jf: number): Instruction => ({ code: 0x45, k, jt, jf });
const and = (k: number): Instruction => ({ code: 0x54, k, jt: 0, jf: 0 });
const answer = (k: number): Instruction => ({ code: 0x06, k, jt: 0, jf: 0 });
const allow = answer(action.allow);
const refuse = (number: number): Instruction => answer(action.errno | number);

/** Offsets in `struct seccomp_data`; of an argument its low half, which is all that these calls look at. */
const at = { number: 0, arch: 4, argument: (index: number) => 16 + 8 * index } as const;

/** Whom a filter is for: an app or a build's command; or an image builder, which is root of a user namespace of its own. */
export type Filtered = "command" | "image-builder";

/** The filter for one architecture, as `bwrap --seccomp` reads it. */
export function seccompFilter(arch: Arch, of: Filtered = "command"): Uint8Array {
  const column = arch === "x64" ? 0 : 1;
  const program: Instruction[] = [
    load(at.arch),
    ifEqual(auditArch[arch], 1, 0),
    answer(action.killProcess),
    load(at.number),
    ...(arch === "x64" ? [ifAtLeast(x32Bit, 0, 1), refuse(errno.ENOSYS)] : []),
  ];
  // A body ends in an answer, so nothing runs past it, and jumps stay as short as their eight bits.
  const on = (numbers: Numbers, body: readonly Instruction[]): void => {
    const number = numbers[column];
    if (number !== null) program.push(ifEqual(number, 0, body.length), ...body);
  };
  if (of === "command") {
    on(examined.clone, [load(at.argument(0)), ifAnyBit(newNamespaces, 0, 1), refuse(errno.EPERM), allow]);
    for (const numbers of Object.values(crafts)) on(numbers, [refuse(errno.EPERM)]);
  }
  on(examined.socket, socketBody);
  on(examined.socketpair, [load(at.argument(0)), ifEqual(family.unix, 1, 0), refuse(errno.EAFNOSUPPORT), allow]);
  on(examined.ioctl, refuseValues(1, Object.values(forbiddenIoctls)));
  on(examined.personality, allowValues(0, allowedPersonalities));
  for (const numbers of Object.values(forbidden)) on(numbers, [refuse(errno.EPERM)]);
  for (const numbers of Object.values(absent)) on(numbers, [refuse(errno.ENOSYS)]);
  program.push(allow);
  return encode(program);
}

/** SHA-256 of the filter, in hexadecimal: which one is in force. */
export function filterSha256(arch: Arch): string {
  // Only where it is asked for: each shim loads this module, and would load all of that.
  const { createHash } = process.getBuiltinModule("node:crypto");
  return createHash("sha256").update(seccompFilter(arch)).digest("hex");
}

/** Families unix, inet, inet6, and netlink of protocol 0 (routes: `getifaddrs` asks for them); no raw sockets. */
const socketBody: readonly Instruction[] = [
  load(at.argument(0)),
  ifEqual(family.unix, 10, 0),
  ifEqual(family.netlink, 6, 0),
  ifEqual(family.inet, 2, 0),
  ifEqual(family.inet6, 1, 0),
  refuse(errno.EAFNOSUPPORT),
  load(at.argument(1)),
  and(socketTypeMask),
  ifEqual(sockRaw, 2, 3),
  load(at.argument(2)),
  ifEqual(0, 1, 0),
  refuse(errno.EPERM),
  allow,
];

function refuseValues(argument: number, values: readonly number[]): readonly Instruction[] {
  const checks = values.map((value, index) => ifEqual(value, values.length - index, 0));
  return [load(at.argument(argument)), ...checks, allow, refuse(errno.EPERM)];
}

function allowValues(argument: number, values: readonly number[]): readonly Instruction[] {
  const checks = values.map((value, index) => ifEqual(value, values.length - index, 0));
  return [load(at.argument(argument)), ...checks, refuse(errno.EPERM), allow];
}

function encode(program: readonly Instruction[]): Uint8Array {
  if (program.length > instructionsMax)
    throw new RangeError(`the filter has ${program.length} instructions, at most ${instructionsMax}`);
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(({ code, jt, jf, k }, index) => {
    bytes.writeUInt16LE(code, index * 8);
    bytes[index * 8 + 2] = jt;
    bytes[index * 8 + 3] = jf;
    bytes.writeUInt32LE(k >>> 0, index * 8 + 4);
  });
  return bytes;
}
