/**
 * The marks by which software recognises what it has put on a device: bytes and where they stand.
 *
 * Offsets count from the start of the device; `fromEnd` ones from its end, after the device's size
 * is cut down to a multiple of `cut` where the owner of the mark does so. Marks that need more
 * than a comparison (FAT, MBR, ext, ZFS) are in labels.ts.
 *
 * A mark is only ever a reason to refuse, so a mark that is short or weak does no harm here: what
 * it is taken for by mistake is data all the same.
 */
export type LabelKind =
  | "file system"
  | "swap space"
  | "volume manager member"
  | "array member"
  | "replicated volume"
  | "encrypted volume"
  | "cache device"
  | "partition table"
  | "cluster disk"
  | "database disk"
  | "storage member"
  | "boot sector"
  | "heartbeat volume"
  | "data";

export type Mark = {
  readonly name: string;
  readonly kind: LabelKind;
  /** As text of single-byte characters: "\x53\xef". */
  readonly magic: string;
  readonly at?: readonly number[];
  readonly fromEnd?: readonly { readonly bytes: number; readonly cut?: number }[];
};

const kib = 1024;

/** Powers of two in which a system counts its memory pages: a swap mark ends the first page. */
const pageBytes = [4, 8, 16, 32, 64].map((pages) => pages * kib);
const swapMark = (name: string, magic: string): Mark => ({
  name,
  kind: "swap space",
  magic,
  at: pageBytes.map((bytes) => bytes - 10),
});

const luksSecondHeaders = [0x4000, 0x8000, 0x10000, 0x20000, 0x40000, 0x80000, 0x100000, 0x200000];

const fileSystems: readonly Mark[] = [
  { name: "XFS", kind: "file system", magic: "XFSB", at: [0] },
  { name: "Btrfs", kind: "file system", magic: "_BHRfS_M", at: [64 * kib + 64] },
  { name: "GFS2", kind: "file system", magic: "\x01\x16\x19\x70", at: [64 * kib] },
  { name: "OCFS2", kind: "file system", magic: "OCFSV2", at: [1, 2, 4, 8].map((n) => n * kib) },
  { name: "exFAT", kind: "file system", magic: "EXFAT   ", at: [3] },
  { name: "NTFS", kind: "file system", magic: "NTFS    ", at: [3] },
  { name: "ReFS", kind: "file system", magic: "ReFS\0\0\0\0", at: [3] },
  { name: "ISO 9660", kind: "file system", magic: "CD001", at: [32 * kib + 1] },
  ...["BEA01", "NSR02", "NSR03"].map(
    (magic): Mark => ({
      name: "UDF",
      kind: "file system",
      magic,
      at: [0, 1, 2, 3].map((sector) => (32 + 2 * sector) * kib + 1),
    }),
  ),
  { name: "F2FS", kind: "file system", magic: "\x10\x20\xf5\xf2", at: [kib] },
  { name: "EROFS", kind: "file system", magic: "\xe2\xe1\xf5\xe0", at: [kib] },
  { name: "SquashFS", kind: "file system", magic: "hsqs", at: [0] },
  { name: "JFS", kind: "file system", magic: "JFS1", at: [32 * kib] },
  { name: "ReiserFS", kind: "file system", magic: "ReIsEr", at: [8 * kib + 52, 64 * kib + 52] },
  { name: "NILFS2", kind: "file system", magic: "\x34\x34", at: [kib + 6] },
  { name: "HFS+", kind: "file system", magic: "H+\0", at: [kib] },
  { name: "HFSX", kind: "file system", magic: "HX\0", at: [kib] },
  { name: "APFS", kind: "file system", magic: "NXSB", at: [32] },
  { name: "VxFS", kind: "file system", magic: "\xf5\xfc\x01\xa5", at: [kib] },
  { name: "VMFS", kind: "file system", magic: "\x0d\xd0\x01\xc0", at: [kib * kib] },
  { name: "VMFS", kind: "file system", magic: "\x5e\xf1\xab\x2f", at: [2 * kib * kib] },
  {
    name: "bcachefs",
    kind: "file system",
    magic: "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef",
    at: [4 * kib + 24],
  },
];

const swaps: readonly Mark[] = [
  swapMark("Linux", "SWAPSPACE2"),
  swapMark("Linux", "SWAP-SPACE"),
  swapMark("hibernated", "S1SUSPEND\0"),
  swapMark("hibernated", "S2SUSPEND\0"),
  swapMark("hibernated", "ULSUSPEND\0"),
  swapMark("hibernated", "LINHIB0001"),
];

const mdMagic = "\xfc\x4e\x2b\xa9";
const volumeManagers: readonly Mark[] = [
  { name: "LVM2", kind: "volume manager member", magic: "LABELONE", at: [0, 512, 1024, 1536] },
  { name: "LVM1", kind: "volume manager member", magic: "HM\x01\0", at: [0] },
  { name: "LVM1", kind: "volume manager member", magic: "HM\x02\0", at: [0] },
  { name: "LVM snapshot", kind: "volume manager member", magic: "SnAp", at: [0] },
  {
    name: "Stratis",
    kind: "volume manager member",
    magic: "!Stra0tis\x86\xff\x02^Arh",
    at: [512 + 4, 4608 + 4],
  },
  { name: "VDO", kind: "volume manager member", magic: "dmvdo001", at: [0] },
  { name: "VxVM", kind: "volume manager member", magic: "PRIV", at: [8 * kib] },
  { name: "MD RAID 1.1", kind: "array member", magic: mdMagic, at: [0] },
  { name: "MD RAID 1.2", kind: "array member", magic: mdMagic, at: [4 * kib] },
  {
    name: "MD RAID 1.0",
    kind: "array member",
    magic: mdMagic,
    fromEnd: [{ bytes: 8 * kib, cut: 4 * kib }],
  },
  ...[mdMagic, "\xa9\x2b\x4e\xfc"].map(
    (magic): Mark => ({
      name: "MD RAID 0.90",
      kind: "array member",
      magic,
      fromEnd: [{ bytes: 64 * kib, cut: 64 * kib }],
    }),
  ),
  {
    name: "DDF RAID",
    kind: "array member",
    magic: "\xde\x11\xde\x11",
    fromEnd: [{ bytes: 512 }, { bytes: 257 * 512 }],
  },
  {
    name: "Intel RAID",
    kind: "array member",
    magic: "Intel Raid ISM Cfg Sig. ",
    fromEnd: [{ bytes: 1024 }],
  },
];

/** DRBD keeps its metadata in the last 4 KiB block; 60 bytes into it stands the magic. */
const drbdMark = (name: string, magic: string): Mark => ({
  name,
  kind: "replicated volume",
  magic,
  fromEnd: [{ bytes: 4 * kib - 60, cut: 4 * kib }],
});

const others: readonly Mark[] = [
  drbdMark("DRBD 8.3", "\x83\x74\x02\x6a"),
  drbdMark("DRBD 8.4", "\x83\x74\x02\x6b"),
  drbdMark("DRBD 8.4", "\x83\x74\x02\x6c"),
  drbdMark("DRBD 9", "\x83\x74\x02\x6d"),
  { name: "LUKS1", kind: "encrypted volume", magic: "LUKS\xba\xbe\0\x01", at: [0] },
  { name: "LUKS2", kind: "encrypted volume", magic: "LUKS\xba\xbe\0\x02", at: [0] },
  {
    name: "LUKS2 (second header)",
    kind: "encrypted volume",
    magic: "SKUL\xba\xbe",
    at: luksSecondHeaders,
  },
  { name: "BitLocker", kind: "encrypted volume", magic: "-FVE-FS-", at: [3] },
  {
    name: "BitLocker (to go)",
    kind: "encrypted volume",
    magic: "\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01",
    at: [424],
  },
  { name: "dm-integrity", kind: "encrypted volume", magic: "integrt\0", at: [0] },
  { name: "dm-verity", kind: "encrypted volume", magic: "verity\0\0", at: [0] },
  {
    name: "bcache",
    kind: "cache device",
    magic: "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81",
    at: [4 * kib + 24],
  },
  { name: "sbd", kind: "cluster disk", magic: "SBD_SBD_", at: [0] },
  { name: "sanlock lockspace", kind: "cluster disk", magic: "\x10\x20\x21\x12", at: [0] },
  { name: "sanlock resource", kind: "cluster disk", magic: "\x10\x20\x15\x06", at: [0] },
  {
    name: "OpenSVC heartbeat",
    kind: "cluster disk",
    magic: "\x3d\xc1\x3c\x87\xc0\x5b\xe3\xb6",
    at: [4],
  },
  { name: "Oracle ASM", kind: "database disk", magic: "ORCLDISK", at: [32] },
  { name: "Oracle ASM (cleared)", kind: "database disk", magic: "ORCLCLRD", at: [32] },
  { name: "Ceph BlueStore", kind: "storage member", magic: "bluestore block device", at: [0] },
];

const partitionTables: readonly Mark[] = [
  { name: "GPT", kind: "partition table", magic: "EFI PART", at: [512, 4 * kib] },
  {
    name: "GPT backup",
    kind: "partition table",
    magic: "EFI PART",
    fromEnd: [{ bytes: 512 }, { bytes: 4 * kib }],
  },
];

export const marks: readonly Mark[] = [
  ...fileSystems,
  ...swaps,
  ...volumeManagers,
  ...others,
  ...partitionTables,
];
