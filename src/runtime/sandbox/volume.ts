/**
 * File systems of a fixed size, each in a file: what a replica may write of the disk, where the agent is root. They are mounted in the
 * mount namespace of the replica's shim, on the way there (stage.ts). So they end with its last process, whoever of us is killed, and
 * no other replica has them.
 */
import { existsSync } from "node:fs";
import { quoted } from "./quoted.ts";

export interface Volume {
  /** The file that holds it; made where there is none. It takes of the disk what was written. */
  readonly image: string;
  /** The folder that it covers. What lies there is copied into a new one. */
  readonly at: string;
  readonly bytes: number;
  /** Whose it is. */
  readonly uid: number;
  /** It outlives its replica, and may be mounted by several: it has a journal, is checked before its first mount, and grows to `bytes`. */
  readonly lasts: boolean;
  /** What the disk keeps free while the folder's files are copied into a new one. */
  readonly reserveBytes: number;
}

/** Said by whoever makes them, when one cannot be mounted. */
export const volumeFailed = "waybill: no file system for";
/** And before, where it is for want of room. */
export const volumeLow = "waybill: the disk has no room to move";
/** Said before what takes as long as the files are many: a copy, a check, or a wait for another who does that. */
export const volumeAtWork = "waybill: at work on";
/** Its smallest size: with a journal ext4 needs 2 MiB. */
export const volumeMinBytes = 8 << 20;

/** A copy of a folder of some gigabytes, or the check of a large file system, that another replica's start makes first. */
const waitForOtherSeconds = 120;
/** What a file takes of a file system beside its bytes: at least one block, and its share of the inodes. */
const perFileBytes = 20_480;
/** Inode tables are not written beforehand: a new file reads as zeros. */
const extended = "lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=$4:$4";
const mkfs = `mkfs.ext4 -q -F -m 0 -E ${extended}`;
/** One that nobody checks or grows needs neither copies of its superblock nor room for more groups: half the time and a thirtieth of the disk. */
const mkfsPassing = `mkfs.ext4 -q -F -m 0 -E ${extended},num_backup_sb=0 -O ^has_journal,^resize_inode,sparse_super2 -G 4096`;
const options = "loop,nosuid,nodev,noatime,discard,noinit_itable";

/**
 * In order: only one of us makes, checks or grows it; a folder that was being replaced is replaced, or put back; a new one has room
 * for what lay in the folder; one that nobody has mounted is checked and grown, and one that others have is grown as it is. A loop
 * device that has the file already is used again by mount(8), and then it is the same file system.
 */
const functions = `checked() {
  said=$(e2fsck "$@" 2>&1) || [ $? -lt 4 ] || { echo "$said" >&2; exit 1; }
}
lasting() {
  set -e
  in_use=
  exec 9< "\${2%/*}"
  flock -n 9 || { echo "${volumeAtWork} $2"; flock -w ${waitForOtherSeconds} 9; }
  if [ -d "$2.moved" ]; then
    if [ -e "$1" ]; then rm -rf "$2.moved"; else rmdir "$2"; mv "$2.moved" "$2"; fi
  fi
  if [ ! -e "$1" ]; then
    new="$1.new"
    trap 'rm -f "$new"' EXIT
    rm -f "$new"
    size=$3 had="$(ls -A "$2")"
    if [ -n "$had" ]; then
      echo "${volumeAtWork} $2"
      has=$(du -sk "$2" | cut -f1) files=$(find "$2" -printf x | wc -c) free=$(df --output=avail -k "$2" | tail -n 1)
      if [ "$free" -lt $((has + files * 4 + $5 / 1024)) ]; then
        echo "${volumeLow} $2 into a file system of its own: it has $((has / 1024)) MiB and the disk $((free / 1024)) MiB left, of which $(($5 >> 20)) MiB stay free" >&2
        exit 1
      fi
      least=$((has * 1280 + files * ${perFileBytes} + ${volumeMinBytes}))
      [ "$size" -ge "$least" ] || size=$least
    fi
    (umask 077; : > "$1.new")
    truncate -s "$size" "$1.new"
    if [ -n "$had" ]; then ${mkfs} -d "$2" "$1.new"; else ${mkfs} "$1.new"; fi
    sync "$1.new"
    if [ -n "$had" ]; then mv "$2" "$2.moved"; mkdir -m 0700 "$2"; chown "$4:$4" "$2"; fi
    mv "$1.new" "$1"
    if [ -n "$had" ]; then rm -rf "$2.moved"; fi
  elif [ -n "$(losetup -j "$1")" ]; then
    if [ -e "$1.grows" ] || [ "$(stat -c %s "$1")" -lt "$3" ]; then in_use=1; fi
  else
    checked -p "$1"
    if [ -e "$1.grows" ] || [ "$(stat -c %s "$1")" -lt "$3" ]; then
      echo "${volumeAtWork} $2"
      : > "$1.grows"
      truncate -s ">$3" "$1"
      checked -fp "$1"
      said=$(resize2fs "$1" 2>&1) || { echo "$said" >&2; exit 1; }
      rm "$1.grows"
    fi
  fi
  mount -o ${options},errors=remount-ro "$1" "$2"
  if [ -n "$in_use" ]; then
    # Of all that have it mounted: the kernel grows it under them, for who has CAP_SYS_RESOURCE. Else the next who checks it does.
    : > "$1.grows"
    truncate -s ">$3" "$1"
    device=$(losetup -n -O NAME -j "$1" | head -n 1)
    if losetup -c "$device" 2> /dev/null && resize2fs "$device" > /dev/null 2>&1; then rm "$1.grows"; fi
  fi
  if [ -d "$2/lost+found" ]; then rmdir "$2/lost+found" 2>/dev/null || true; fi
}
passing() {
  set -e
  [ -d "$2" ] || mkdir -p "$2"
  umask 077
  truncate -s "$3" "$1"
  ${mkfsPassing} "$1"
  mount -o ${options} "$1" "$2"
}`;

/**
 * Where the program that comes after has the file of the volume with this index open: its user has no other way to it. Numbers below 16
 * Node keeps from all that it starts (libuv's `uv_disable_stdio_inheritance`).
 */
export const imageFd = (index: number): number => 7 + index;

/** Volumes, and the file by which those who mount them and those who use them wait for one another; there is none of that name before. */
export interface Volumes {
  readonly all: readonly Volume[];
  /** Made when all are mounted, for whoever was started meanwhile; null: nothing is started before. */
  readonly mounted: string | null;
}

/** Lines for /bin/sh under `set -e`, for root in a mount namespace: makes, checks and mounts all of them, side by side; `otherwise` where one fails. */
function volumeLines(all: readonly Volume[], otherwise = ""): readonly string[] {
  const begin = all.map(
    ({ image, at, bytes, uid, lasts, reserveBytes }, index) =>
      `( ${lasts ? "lasting" : "passing"} ${quoted(image)} ${quoted(at)} ${bytes} ${uid} ${reserveBytes} ) & v${index}=$!`,
  );
  // For all of them, also where one failed: none goes on behind the back of whoever is told.
  const wait = all.map(({ at }, index) => `wait $v${index} || failed=${quoted(`${volumeFailed} ${at}`)}`);
  return [...begin, `failed=`, ...wait, `[ -z "$failed" ] || { echo "$failed" >&2; ${otherwise}exit 1; }`];
}

/** Makes the files of those that end with their replica, which are not to be made by who may open them. */
function passingFiles(all: readonly Volume[]): readonly string[] {
  return all.filter(({ lasts }) => !lasts).map(({ image }) => `(umask 077; : > ${quoted(image)})`);
}

/** The same for one that has volumes which were all made before: no folder is moved for them, and somebody may wait. */
export function mountKnown(all: readonly Volume[]): readonly string[] {
  return [functions, ...passingFiles(all), ...volumeLines(all)];
}

/** Whether a replica before this one made those that last, and was not cut off in it. */
export function areMade(all: readonly Volume[]): boolean {
  return all.every(({ image, at, lasts }) => !lasts || (existsSync(image) && !existsSync(`${at}.moved`)));
}

/**
 * Lines for /bin/sh under `set -e`, for root in a mount namespace of its own: makes, checks and mounts all of them, side by side, while
 * `next` goes on, a command in whose mount namespace they appear as they are mounted. Where one fails, that process is ended, whatever
 * it has become. A volume's first start is waited for even so, since it moves folders.
 */
export function mountVolumes({ all, mounted }: Volumes, next: string): readonly string[] {
  const isThere = all
    .filter(({ lasts }) => lasts)
    .map(({ image, at }) => `[ -e ${quoted(image)} ] && [ ! -d ${quoted(`${at}.moved`)} ]`);
  return [
    functions,
    `volumes() {`,
    ...volumeLines(all, mounted === null ? "" : "kill -KILL $$; "),
    ...(mounted === null ? [] : [`: > ${quoted(mounted)}`]),
    `}`,
    ...passingFiles(all),
    // A copy of this namespace sees what is mounted here, and nothing here is covered there.
    `mount --make-rshared /`,
    `first=1`,
    ...(mounted === null ? [] : [`if ${["true", ...isThere].join(" && ")}; then first=; fi`]),
    // The child of a child: what this process becomes would not ask how it ended.
    `if [ -n "$first" ]; then volumes & wait $!; else ( volumes & ); fi`,
    ...all.map(({ image }, index) => `exec ${imageFd(index)}<${quoted(image)}`),
    `exec unshare --mount --propagation slave -- ${next}`,
  ];
}
